"""Which rows of the table a text is about."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.diagnosis.table import TABLE

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Sequence

    from glm4v_tui.diagnosis.row import Row


class Diagnosis(msgspec.Struct, frozen=True):
    """A failure that was found in a text."""

    name: str
    """The row's."""
    title: str
    meaning: str
    remedy: str
    line: int
    """Where the text says so, from 1; the last time when it says so more than once."""
    said: str
    """That line."""
    times: int = 1


def first_row(wordings: Iterable[str]) -> tuple[int, Row] | None:
    """The row for a chain of exceptions, and the number of the one that it is about.

    Args:
        wordings: ``ClassName: text`` of each, the outermost first.
    """
    found = [
        (number, row)
        for number, wording in enumerate(wordings)
        if (row := next((row for row in TABLE if row.pattern.search(wording)), None)) is not None
    ]
    if not found:
        return None
    first = found[0]
    if first[1].is_general:
        return next((one for one in found if _says_more(one[1], first[1])), first)
    return first


def diagnose(text: str, table: Sequence[Row] = TABLE) -> tuple[Diagnosis, ...]:
    """All failures that a log or a traceback tells of, in its order.

    Of several rows that fit the same line the first of the table counts: it is the most specific.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    ends = _line_ends(lines)
    taken: set[int] = set()
    found: list[tuple[int, int, Row]] = []
    for row in table:
        spots = [_spot(match, ends) for match in row.pattern.finditer(text)]
        free = [spot for spot in spots if not taken.intersection(spot)]
        for spot in free:
            taken.update(spot)
        if free:
            found.append((free[-1].start, len(free), row))
    rows = [row for _, _, row in found]
    kept = [one for one in found if not any(_says_more(row, one[2]) for row in rows)]
    return tuple(
        Diagnosis(row.name, row.title, row.meaning, row.remedy, at + 1, lines[at].strip(), times)
        for at, times, row in sorted(kept, key=lambda one: one[0])
    )


def _says_more(row: Row, general: Row) -> bool:
    return general.is_general and not row.is_general and row.topic == general.topic


def _line_ends(lines: list[str]) -> list[int]:
    """Where each line ends in the whole text."""
    ends: list[int] = []
    at = -1
    for line in lines:
        at += len(line) + 1
        ends.append(at)
    return ends


def _spot(match: re.Match[str], ends: list[int]) -> range:
    """The lines that a match is on."""
    start, end = match.span()
    if match.groupdict().get("said") is not None:
        start, end = match.span("said")
    return range(bisect_left(ends, start), bisect_left(ends, max(start, end - 1)) + 1)
