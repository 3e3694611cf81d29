"""Results on their way out of the program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from glm4v_tui.chat import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Record(msgspec.Struct, frozen=True):
    """One result and what it is about."""

    task: str
    version: str
    digest: str
    """SHA-256 of the image file: its identity, also where the path must not be told."""
    width: int
    """Pixels of the whole upright image."""
    height: int
    result: Any
    """JSON values, as the task's result type gives them."""
    path: str | None = None
    """None for a private task."""
    crop: Box | None = None
    """The part that was asked about; regions are in the pixels of this part."""
    regions: tuple[tuple[Box, str], ...] = ()
    """(box in pixels of the part, label)."""
    label: str | None = None
    """The reviewer's verdict."""
    warnings: tuple[str, ...] = ()
    notice: str = ""
    facts: dict[str, Any] = {}
    options: dict[str, Any] = {}
    """What was set for the task: what it did to the picture, for one."""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Exporter:
    """A format of many records in one file."""

    name: str
    """As ``--export NAME`` says it."""
    suffix: str
    """Of the file, with its dot."""
    title: str
    write: Callable[[Sequence[Record], BinaryIO], None]


def write_jsonl(records: Sequence[Record], out: BinaryIO) -> None:
    """One JSON object a line."""
    for record in records:
        out.write(msgspec.json.encode(record) + b"\n")


JSONL = Exporter("jsonl", ".jsonl", "JSON lines", write_jsonl)
