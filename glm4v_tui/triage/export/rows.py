"""What is known of each image of a queue, read from the store for an export."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glm4v_tui.errors import ImageError
from glm4v_tui.plain import plain_line
from glm4v_tui.store.files import Files
from glm4v_tui.store.verdicts import NO_VERDICT, Verdict, Verdicts
from glm4v_tui.triage.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from glm4v_tui.store.database import Database
    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.triage.queue import Queue


@dataclass(frozen=True)
class Row:
    """An image and its verdict."""

    path: Path
    """Absolute, also for private tasks: what is written leaves it out."""
    digest: str
    """SHA-256 of the file."""
    verdict: Verdict


@dataclass
class Rows:
    """The images of a queue, in its order. Files that are not remembered are read.

    Args:
        is_all: Also images that nothing was said of.

    Raises (when gone through): StoreError.
    """

    database: Database
    task: AnyTask
    queue: Queue
    is_all: bool = False
    notices: list[str] = field(default_factory=list)
    """Of what was left out, in words; whole once the rows were gone through."""

    def __iter__(self) -> Iterator[Row]:
        private = self.task.is_private
        verdicts = Verdicts(self.database, self.task.name, is_private=private).all()
        files = Files(self.database, is_private=private)
        if not verdicts and not self.is_all:
            return
        for index in range(self.queue.total):
            path = self.queue.path(index)
            try:
                digest = digest_of(files, path)
            except ImageError as error:
                told = plain_line(f"{error.title}: {error.body}")
                self.notices.append("an image: not readable" if private else told)
                continue
            verdict = verdicts.get(digest, NO_VERDICT)
            if self.is_all or _says_something(verdict):
                yield Row(path, digest, verdict)


def _says_something(verdict: Verdict) -> bool:
    """Whether anything stands; a flag or note may have been taken away again."""
    return verdict.is_decided or verdict.is_flagged or bool(verdict.note)
