"""What is known of each image of a queue, read from the store for an export."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from glm4v_tui.errors import ImageError
from glm4v_tui.plain import plain_line
from glm4v_tui.store.files import Files
from glm4v_tui.store.verdicts import NO_VERDICT, Verdict, Verdicts
from glm4v_tui.triage.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from glm4v_tui.store.database import Database
    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.tasks.outcome import Outcome
    from glm4v_tui.triage.queue import Queue


class Answered(Protocol):
    """What a model said of an image (``triage.asking.Judged``)."""

    @property
    def outcome(self) -> Outcome | None: ...
    @property
    def probabilities(self) -> Mapping[str, float]: ...
    @property
    def label(self) -> str | None: ...


@dataclass(frozen=True)
class Row:
    """An image, its verdict, and what the model says of it."""

    path: Path
    """Absolute, also for private tasks: what is written leaves it out."""
    digest: str
    """SHA-256 of the file."""
    verdict: Verdict
    answered: Answered | None = None
    """What the store has of the model now; with the verdict is what it had said then."""


def no_answer(digest: str) -> Answered | None:  # noqa: ARG001
    """Where no answers are looked for."""
    return None


@dataclass
class Rows:
    """The images of a queue, in its order. Files that are not remembered are read.

    Args:
        is_all: Also images that nothing was said of.
        answer_of: What the store has of the model's answer, by the digest of the file.

    Raises (when gone through): StoreError.
    """

    database: Database
    task: AnyTask
    queue: Queue
    is_all: bool = False
    answer_of: Callable[[str], Answered | None] = no_answer
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
                yield Row(path, digest, verdict, self.answer_of(digest))


def _says_something(verdict: Verdict) -> bool:
    """Whether anything stands; a flag or note may have been taken away again."""
    return verdict.is_decided or verdict.is_flagged or bool(verdict.note)
