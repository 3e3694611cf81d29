"""One label an image, for formats that have room for no more."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.errors import UsageError
from glm4v_tui.plain import plain_line
from glm4v_tui.triage.export.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def one_each(rows: Iterable[Row]) -> list[Row]:
    """A row for each image, where its reviewers agree.

    A label that a reviewer gave comes before one that was given automatically, and any label
    before none. The image is flagged where anybody has flagged it.

    Raises:
        UsageError: two reviewers gave an image two labels.
        StoreError: as the rows do.
    """
    every = [list(same) for _, same in groupby(rows, lambda row: row.path)]
    disputed = [same for same in every if len(_labels(same)) > 1]
    if disputed:
        raise _disputed(disputed)
    return [_one(same) for same in every]


def _given(same: Sequence[Row]) -> list[Row]:
    """Those whose labels count."""
    labeled = [row for row in same if row.verdict.label is not None]
    return [row for row in labeled if not row.verdict.is_automatic] or labeled


def _labels(same: Sequence[Row]) -> set[str | None]:
    return {row.verdict.label for row in _given(same)}


def _one(same: Sequence[Row]) -> Row:
    row = max(_given(same) or same, key=lambda row: row.verdict.at)
    is_flagged = any(one.verdict.is_flagged for one in same)
    verdict = msgspec.structs.replace(row.verdict, is_flagged=is_flagged)
    return Row(row.path, row.digest, verdict, row.answered)


def _disputed(disputed: Sequence[Sequence[Row]]) -> UsageError:
    names = sorted({row.verdict.reviewer for same in disputed for row in _given(same)})
    number = len(disputed)
    return UsageError(
        "Reviewers disagree, and this format has one label an image",
        f"{'1 image has' if number == 1 else f'{number} images have'} more than one label.",
        f"Name one of them with --reviewer: {', '.join(map(plain_line, names))}.",
    )
