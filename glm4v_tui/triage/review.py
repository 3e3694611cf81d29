"""A review under way: what to look at, what was said of it, and the verbs of the reviewer.

Every verb has its effect on the disk when it returns. Nothing in here draws or asks a model.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from glm4v_tui.errors import ImageChangedError, ImageError, UsageError
from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.store.verdicts import NO_VERDICT, Event, Verdict
from glm4v_tui.triage.agreement import REJECTED, Agreement
from glm4v_tui.triage.automatic import Automatic
from glm4v_tui.triage.filters import ALL
from glm4v_tui.triage.ledger import Ledger
from glm4v_tui.triage.progress import Pace, Progress
from glm4v_tui.triage.queue import LAST, Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from glm4v_tui.store.database import Database
    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.triage.filters import Filter
    from glm4v_tui.triage.queue import Queue
    from glm4v_tui.triage.standings import Standings

__all__ = ["REJECTED", "Progress", "Review"]

_LOOK_S = 0.3
"""How long files may be read on the way to the next image, to find out which were only renamed."""


def _nothing_said(path: Path) -> tuple[str | None, float | None]:  # noqa: ARG001
    return None, None


class Review:
    """The images of a queue under one task. For one thread.

    Args:
        reviewer: Who decides here.
        session: This run of the program; another for every run.
        model_label_of: What the model says of an image, and how probable it holds that, as far as
            that is known already; cheap.

    Raises (every verb):
        StoreError: nothing was kept.
        ImageError: the file cannot be read, so that its verdict would belong to nothing.
    """

    def __init__(
        self,
        database: Database,
        task: AnyTask,
        queue: Queue,
        *,
        reviewer: str = "",
        session: str = "",
        model_label_of: Callable[[Path], tuple[str | None, float | None]] = _nothing_said,
    ) -> None:
        self.task = task
        self.queue = queue
        self.filter: Filter = ALL
        self.order = Order.NAME
        self.labels = tuple(label.name for label in task.labels)
        """What a reviewer may give, as the task names it."""
        self._ledger = Ledger(database, task, queue.listing, plain_line(reviewer), session)
        self._model_label_of = model_label_of
        self._pace = Pace()
        self._passed: set[int] = set()
        """Images that could not be read and were skipped, by their numbers."""
        self._learned: set[int] = set()
        """Images of which the model has said something since what it said before was read."""
        self.taken_back = NO_VERDICT, NO_VERDICT
        """What an image's verdict was before the last undo, and since."""
        self.automatic = Automatic(self._ledger)
        """Labels given for being probable; off until it has a threshold."""

    # Looking ------------------------------------------------------------------------------------

    @property
    def current(self) -> Path | None:
        """The image under review; None where the filter lets none through."""
        return self.queue.current

    @property
    def index(self) -> int:
        """Its number.

        Raises:
            UsageError: nothing is shown.
        """
        if self.queue.index is None:
            raise UsageError(
                "There is no image here", "The filter lets none through.", "Change it."
            )
        return self.queue.index

    @property
    def standings(self) -> Standings:
        """What is known of each image, without a question to the disk."""
        return self._ledger.standings

    @property
    def agreement(self) -> Agreement:
        return self.standings.agreement

    @property
    def progress(self) -> Progress:
        counts = self.standings
        return Progress(
            done=counts.decided,
            total=self.queue.total,
            skipped=counts.skipped,
            automatic=counts.automatic,
            per_minute=self._pace.per_minute,
        )

    def verdict_of(self, path: Path) -> Verdict:
        """What this reviewer says of an image; nothing where its content is not known yet. What
        others decided is with the standings."""
        index = self.queue.listing.find(str(path))
        return NO_VERDICT if index is None else self.verdict_at(index)

    def verdict_at(self, index: int) -> Verdict:
        """The same by the image's number."""
        return self._ledger.of(index)

    # Verbs --------------------------------------------------------------------------------------

    def give(self, label: str, *, seconds: float | None = None) -> None:
        """Give the current image a label.

        Args:
            seconds: That the image was on the screen.

        Raises:
            UsageError: the task has no such label.
            ImageChangedError: the file is not what it was when it was last looked at.
        """
        if label not in (*self.labels, REJECTED):
            raise UsageError(
                f"{plain_line(self.task.title)} has no label {plain_line(label)}",
                f"It has: {', '.join(self.labels) or 'none'}.",
            )
        self._decide("label", label, seconds)

    def accept(self, *, seconds: float | None = None) -> None:
        """Give the model's label.

        Raises:
            UsageError: the model has none for this image, or not yet.
        """
        label = self._opinion(self.index)[0]
        if label is None:
            raise UsageError(
                "The model has given no label to accept",
                "It has not looked at this image yet, or it names none.",
                "Wait for it, or give a label yourself.",
            )
        self._decide("label", label, seconds)

    def reject(self, *, seconds: float | None = None) -> None:
        """The model's label is wrong; say no more than that."""
        self._decide("label", REJECTED, seconds)

    def skip(self, *, seconds: float | None = None) -> None:
        """Leave the image undecided on purpose: it is not shown again of itself.

        A file that cannot be read is passed over for this run only: its verdict would belong to
        nothing.
        """
        try:
            self._decide("skip", None, seconds)
        except ImageChangedError:
            raise
        except ImageError:
            self._passed.add(self.index)

    def flag(self) -> bool:
        """Flag the current image, or take its flag away; whether it is flagged now."""
        digest = self._ledger.digest(self.index)
        is_flagged = self.standings.is_flagged(self.index)
        self._ledger.add([Event(digest, "unflag" if is_flagged else "flag", self.current)])
        return not is_flagged

    def note(self, text: str) -> None:
        """Write a note to the current image in place of the one that it has; empty: none."""
        digest = self._ledger.digest(self.index)
        self._ledger.add([Event(digest, "note", self.current, note=plain_text(text).strip())])

    def undo(self) -> Path | None:
        """Take back what this reviewer did last in this queue, and go back to that image; None
        where there is nothing to take back.

        Goes on through what he did before this run of the program began, but never takes back what
        another process does meanwhile.
        """
        self._ledger.catch_up()
        for done, index in self._ledger.to_undo():
            before = self._ledger.of(index)
            if self._ledger.undo([done]):
                self.taken_back = before, self._ledger.of(index)
                if not self.queue.go_to(index):
                    self.show(ALL)
                    self.queue.go_to(index)
                return self.current
        return None

    def _decide(self, kind: str, label: str | None, seconds: float | None) -> None:
        said, probability = self._opinion(self.index)
        self._ledger.add(
            [
                Event(
                    self._ledger.digest(self.index),
                    kind,
                    self.current,
                    label=label,
                    model_label=said,
                    probability=probability,
                    seconds=seconds,
                )
            ]
        )
        self._pace.decided(time.monotonic())

    def _opinion(self, index: int) -> tuple[str | None, float | None]:
        label = self.standings.model_label(index)
        if label is not None:
            return label, self.standings.probability(index)
        return self._model_label_of(self.queue.path(index))

    # Going on -----------------------------------------------------------------------------------

    def advance(self) -> bool:
        """Go to the next image that is not decided, from the first again after the last; whether
        there is one."""
        self._ledger.catch_up()
        until = time.perf_counter() + _LOOK_S
        for position in self.queue.onward():
            if self._is_open(self.queue.at(position), until):
                self.queue.go(position)
                return True
        return False

    def _is_open(self, index: int, until: float) -> bool:
        return index not in self._passed and self._ledger.is_open(index, until)

    def resume(self) -> bool:
        """Go to the first image that is not decided; whether there is one."""
        self.queue.go(0)
        if not len(self.queue):
            return False
        until = time.perf_counter() + _LOOK_S
        return self._is_open(self.index, until) or self.advance()

    # What is shown ------------------------------------------------------------------------------

    def show(
        self,
        filter_: Filter | None = None,
        order: Order | None = None,
        *,
        is_current_first: bool = False,
    ) -> int:
        """Show other images, or in another order; how many are shown."""
        self._ledger.catch_up()
        self.filter = self.filter if filter_ is None else filter_
        self.order = self.order if order is None else order
        chosen = [index for index in range(self.queue.total) if self.filter(self.standings, index)]
        keys = {Order.UNCERTAIN: self._surety, Order.LABEL: self._label_number}
        self.queue.show(chosen, keys.get(self.order), is_current_first=is_current_first)
        return len(self.queue)

    def _surety(self, index: int) -> float:
        probability = self.standings.probability(index)
        return LAST if probability is None else probability

    def _label_number(self, index: int) -> float:
        label = self.standings.model_label(index)
        if label is None:
            return LAST
        return self.labels.index(label) if label in self.labels else len(self.labels)

    # What becomes known -------------------------------------------------------------------------

    def learn(self, index: int, digest: str, label: str | None, probability: float | None) -> None:
        """The model has looked at an image, or what it said once was found again. Gives the
        automatic verdict, where such are wanted and the image is not under review now.

        Args:
            digest: Of the file that it has seen.
            label: The model's; None where it names none.
            probability: Of that label; None where it was not asked.
        """
        self._ledger.learn_digest(index, digest)
        for same in self.standings.with_digest(digest):
            self._learned.add(same)
            self.standings.set_opinion(same, label, probability)
            self.queue.replace(same)
        if index != self.queue.index:
            self.automatic.consider([index])

    def recall(self, opinions: Iterable[tuple[str, str, float | None]]) -> int:
        """Take over what the model said before; of how many images of the queue. Call ``show``
        then, for an order that depends on it.

        Args:
            opinions: (digest of the file, label, its probability).
        """
        return sum(self.recall_one_by_one(opinions))

    def recall_one_by_one(self, opinions: Iterable[tuple[str, str, float | None]]) -> Iterator[int]:
        """The same, so that other work has its turn between: of each, how many images it is on.
        What becomes known of an image meanwhile is not overwritten."""
        numbers = self.standings.by_digest()
        self._learned.clear()
        for digest, label, probability in opinions:
            count = 0
            for index in numbers.get(bytes.fromhex(digest), ()):
                if index not in self._learned and self.standings.digest(index) == digest:
                    self.standings.set_opinion(index, label, probability)
                    count += 1
            yield count

    def learn_digest(self, index: int, digest: str) -> None:
        """The content of an image is known, since it was opened to be shown. A verdict on the same
        content is one on this image; and a verdict is refused once the file is another."""
        self._ledger.learn_digest(index, digest)
