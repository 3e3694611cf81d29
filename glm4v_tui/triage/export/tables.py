"""Verdicts as JSON lines and as CSV."""

from __future__ import annotations

import base64
import csv
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.triage.export.rows import Row

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell must not begin with: spreadsheets would reckon it (OWASP, "CSV Injection")."""


class Line(msgspec.Struct, frozen=True):
    """One image and what one reviewer says of it, as both formats tell it."""

    task: str
    digest: str
    """SHA-256 of the file: the image's identity."""
    path: str | None
    """Absolute; None for a private task. Bytes that are no UTF-8 are written ``\\xff``."""
    label: str | None
    """The reviewer's; ``rejected`` where he said no more than that the model's is wrong."""
    is_skipped: bool
    is_flagged: bool
    is_automatic: bool
    """The label was given for being probable; no reviewer has seen it."""
    note: str
    model_label: str | None
    """What the model said when the label was given; where it had not, what it says now."""
    probability: float | None
    """Of the model's label, 0 to 1."""
    reviewer: str
    at: str | None
    """When it was decided, ISO 8601 in UTC."""
    seconds: float | None
    """That the image was on the screen."""
    notice: str
    """The task's."""


def write_jsonl(rows: Iterable[Row], task: AnyTask, out: BinaryIO) -> int:
    """One object a line; how many.

    Where the store has them, ``result`` and ``probabilities`` are what the model says of the image.
    ``path_base64`` gives the exact bytes of a path that is no UTF-8.
    """
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - counted
        told: dict[str, Any] = msgspec.to_builtins(_line(row, task))
        if told["path"] is not None and not _is_utf8(row.path):
            told["path_base64"] = base64.b64encode(os.fsencode(row.path)).decode()
        out.write(msgspec.json.encode(told | _answer(row)) + b"\n")
    return count


def _answer(row: Row) -> dict[str, Any]:
    answered = row.answered
    outcome = None if answered is None else answered.outcome
    return {
        "result": None if outcome is None else outcome.value,
        "probabilities": {} if answered is None else dict(answered.probabilities),
    }


def write_csv(rows: Iterable[Row], task: AnyTask, out: BinaryIO) -> int:
    """As RFC 4180 has it, in UTF-8, with a header; how many rows.

    Truth values are ``1`` and ``0``. A text that a spreadsheet would take for a formula gets an
    apostrophe before it.
    """
    return csv_table(Line, (_line(row, task) for row in rows), task, out)


def csv_table(
    kind: type[msgspec.Struct], lines: Iterable[msgspec.Struct], task: AnyTask, out: BinaryIO
) -> int:
    """A header and a row for each of the lines, which are of this kind; how many."""
    writer = csv.writer(_Encoded(out))
    fields = [name for name in kind.__struct_fields__ if name != "path" or not task.is_private]
    writer.writerow(fields)
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007 - counted
        writer.writerow([_cell(getattr(line, name)) for name in fields])
    return count


class _Encoded:
    """Text into bytes. Unlike ``TextIOWrapper`` it never closes what it writes to: that may be
    standard output, which is still needed when a pipe breaks."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return self._out.write(text.encode())


def _line(row: Row, task: AnyTask) -> Line:
    verdict = row.verdict
    said, probability = verdict.model_label, verdict.probability
    if said is None and row.answered is not None and (said := row.answered.label) is not None:
        probability = row.answered.probabilities.get(said)
    return Line(
        task=task.name,
        digest=row.digest,
        path=None if task.is_private else readable(row.path),
        label=verdict.label,
        is_skipped=verdict.is_skipped,
        is_flagged=verdict.is_flagged,
        is_automatic=verdict.is_automatic,
        note=verdict.note,
        model_label=said,
        probability=probability,
        reviewer=verdict.reviewer,
        at=moment(verdict.at) if verdict.at else None,
        seconds=verdict.seconds,
        notice=task.notice,
    )


def moment(at: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(int(value))
        case str():
            return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value
        case _:
            return str(value)


def readable(path: Path) -> str:
    """A path as text that every file format can hold."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
