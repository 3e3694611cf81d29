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
    """An image, the verdict of one reviewer, and what the model says of it."""

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
    """The images of a queue, in its order: a row for each reviewer that has said something.

    Files that are not remembered are read.

    Args:
        is_all: Also images that nothing was said of.
        reviewer: His verdicts alone; None: everybody's.
        answer_of: What the store has of the model's answer, by the digest of the file.

    Raises (when gone through): StoreError.
    """

    database: Database
    task: AnyTask
    queue: Queue
    is_all: bool = False
    reviewer: str | None = None
    answer_of: Callable[[str], Answered | None] = no_answer
    notices: list[str] = field(default_factory=list)
    """Of what was left out, in words; whole once the rows were gone through."""

    images: int = 0
    """That there are rows of; whole as the notices."""

    def __iter__(self) -> Iterator[Row]:
        each = self._verdicts()
        if not each and not self.is_all:
            return
        for path, digest in contents(self.database, self.task, self.queue, self.notices):
            found = [own[digest] for own in each if digest in own]
            verdicts = [verdict for verdict in found if _says_something(verdict)]
            if not verdicts and self.is_all:
                verdicts = [NO_VERDICT]
            if verdicts:
                self.images += 1
                answered = self.answer_of(digest)
                yield from (Row(path, digest, verdict, answered) for verdict in verdicts)

    def _verdicts(self) -> list[dict[str, Verdict]]:
        """What holds for images by digest, of each reviewer that is wanted."""
        private = self.task.is_private
        every = Verdicts(self.database, self.task.name, is_private=private).by_reviewer()
        if self.reviewer is not None and every and self.reviewer not in every:
            names = ", ".join(map(plain_line, sorted(every)))
            self.notices.append(
                f"There is nothing of {plain_line(self.reviewer)}; there is of: {names}."
            )
        return [every[name] for name in sorted(every) if self.reviewer in (None, name)]


def contents(
    database: Database, task: AnyTask, queue: Queue, notices: list[str]
) -> Iterator[tuple[Path, str]]:
    """The images of a queue with their digests, in its order.

    Args:
        notices: Gets what could not be read, in words.

    Raises:
        StoreError: the database cannot be used.
    """
    files = Files(database, is_private=task.is_private)
    for index in range(queue.total):
        path = queue.path(index)
        try:
            yield path, digest_of(files, path)
        except ImageError as error:
            told = plain_line(f"{error.title}: {error.body}")
            notices.append("an image: not readable" if task.is_private else told)


def _says_something(verdict: Verdict) -> bool:
    """Whether anything stands; a flag or note may have been taken away again."""
    return verdict.is_decided or verdict.is_flagged or bool(verdict.note)
