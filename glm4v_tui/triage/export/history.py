"""Everything that was done to the images of a queue, event by event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from glm4v_tui.store.verdicts import Verdicts
from glm4v_tui.triage.export.rows import contents
from glm4v_tui.triage.export.tables import csv_table, moment, readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from glm4v_tui.store.database import Database
    from glm4v_tui.store.verdicts import Past
    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.triage.queue import Queue


class Step(msgspec.Struct, frozen=True):
    """One event, as JSON lines and CSV tell it."""

    task: str
    digest: str
    """SHA-256 of the file."""
    path: str | None
    """Where it lies now, absolute; None for a private task."""
    event: int
    """Its number; they only grow."""
    at: str
    """ISO 8601 in UTC."""
    reviewer: str
    kind: str
    """``label``, ``skip``, ``flag``, ``unflag``, ``note`` or ``undo``."""
    label: str | None
    note: str | None
    cancels: int | None
    """Of ``undo``: the event that was taken back."""
    is_automatic: bool
    """The label was given for being probable; the reviewer has not seen it."""
    model_label: str | None
    """What the model had said then."""
    probability: float | None
    """Of the model's label, 0 to 1."""
    seconds: float | None
    """That the image was on the screen."""
    notice: str
    """The task's."""


def write_history_jsonl(history: History, out: BinaryIO) -> int:
    """One event a line; how many."""
    count = 0
    for count, step in enumerate(history, 1):  # noqa: B007 - counted
        out.write(msgspec.json.encode(step) + b"\n")
    return count


def write_history_csv(history: History, out: BinaryIO) -> int:
    """As ``tables.write_csv`` writes verdicts; how many events."""
    return csv_table(Step, history, history.task, out)


@dataclass
class History:
    """The events on a queue's images, the oldest first. Files that are not remembered are read.

    Args:
        reviewer: His alone; None: everybody's.

    Raises (when gone through): StoreError.
    """

    database: Database
    task: AnyTask
    queue: Queue
    reviewer: str | None = None
    notices: list[str] = field(default_factory=list)
    """Of images that could not be read; whole once the events were gone through."""

    def __iter__(self) -> Iterator[Step]:
        private = self.task.is_private
        places: dict[str, Path] = {}
        for path, digest in contents(self.database, self.task, self.queue, self.notices):
            places.setdefault(digest, path)
        for past in Verdicts(self.database, self.task.name, is_private=private).history():
            place = places.get(past.event.digest)
            if place is not None and self.reviewer in (None, past.reviewer):
                yield self._step(past, None if private else readable(place))

    def _step(self, past: Past, path: str | None) -> Step:
        event = past.event
        return Step(
            task=self.task.name,
            digest=event.digest,
            path=path,
            event=past.id,
            at=moment(past.at),
            reviewer=past.reviewer,
            kind=event.kind,
            label=event.label,
            note=event.note,
            cancels=past.cancels,
            is_automatic=event.is_automatic,
            model_label=event.model_label,
            probability=event.probability,
            seconds=event.seconds,
            notice=self.task.notice,
        )
