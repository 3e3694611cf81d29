"""What a reviewer does to an image, and what it comes to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import sqlite3


class Event(msgspec.Struct, frozen=True):
    """One thing that a reviewer did."""

    digest: str
    """SHA-256 of the file, hexadecimal."""
    kind: str
    """``label``, ``skip``, ``flag``, ``unflag`` or ``note``; in the store also ``undo``."""
    path: Path | None = None
    """Left out of the store by private tasks."""
    label: str | None = None
    note: str | None = None
    model_label: str | None = None
    """What the model said when the reviewer saw it; None where it had not."""
    probability: float | None = None
    """Of ``model_label``."""
    is_automatic: bool = False
    seconds: float | None = None
    """That the image was on the screen."""


class Verdict(msgspec.Struct, frozen=True):
    """What the events of an image come to."""

    label: str | None = None
    """None where the reviewer has given none, or has taken it back."""
    is_skipped: bool = False
    is_flagged: bool = False
    note: str = ""
    is_automatic: bool = False
    """The label was given for being probable; no reviewer has seen it."""
    model_label: str | None = None
    """What the model said when the label was given."""
    probability: float | None = None
    at: float = 0.0
    """When it was labeled or skipped, seconds since 1970."""
    reviewer: str = ""
    seconds: float | None = None

    @property
    def is_decided(self) -> bool:
        """Labeled, or skipped on purpose."""
        return self.label is not None or self.is_skipped


NO_VERDICT = Verdict()


class Past(msgspec.Struct, frozen=True):
    """An event as the store has it."""

    id: int
    at: float
    """Seconds since 1970."""
    reviewer: str
    cancels: int | None
    """Of kind ``undo``: the event that is taken back."""
    event: Event


def past(row: sqlite3.Row) -> Past:
    """The event in a row of the table."""
    path = None if row["path"] is None else Path(os.fsdecode(row["path"]))
    told = {name: row[name] for name in Event.__struct_fields__ if name != "path"}
    told["is_automatic"] = bool(told["is_automatic"])
    return Past(row["id"], row["at"], row["reviewer"], row["cancels"], Event(path=path, **told))


def after(verdict: Verdict, row: sqlite3.Row) -> Verdict:
    """What holds once this event has happened too."""
    match row["kind"]:
        case "label" | "skip":
            return Verdict(
                label=row["label"],
                is_skipped=row["kind"] == "skip",
                is_flagged=verdict.is_flagged,
                note=verdict.note,
                is_automatic=bool(row["is_automatic"]),
                model_label=row["model_label"],
                probability=row["probability"],
                at=row["at"],
                reviewer=row["reviewer"],
                seconds=row["seconds"],
            )
        case "flag" | "unflag":
            verdict = msgspec.structs.replace(verdict, reviewer=row["reviewer"])
            return msgspec.structs.replace(verdict, is_flagged=row["kind"] == "flag")
        case "note":
            verdict = msgspec.structs.replace(verdict, reviewer=row["reviewer"])
            return msgspec.structs.replace(verdict, note=row["note"] or "")
        case _:  # of a newer version
            return verdict
