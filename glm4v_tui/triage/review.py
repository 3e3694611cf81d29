"""A review under way: what to look at, what was said of it, and the verbs of the reviewer.

Every verb has its effect on the disk when it returns. Nothing in here draws or asks a model.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glm4v_tui.errors import ImageChangedError, ImageError, UsageError
from glm4v_tui.plain import plain_line
from glm4v_tui.store.files import Files
from glm4v_tui.store.verdicts import NO_VERDICT, Event, Verdict, Verdicts
from glm4v_tui.triage.agreement import REJECTED, Agreement
from glm4v_tui.triage.digests import digest_of, remembered_in
from glm4v_tui.triage.filters import ALL
from glm4v_tui.triage.pace import Pace
from glm4v_tui.triage.queue import LAST, Order
from glm4v_tui.triage.standings import Standings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from glm4v_tui.store.database import Database
    from glm4v_tui.tasks.task import Task
    from glm4v_tui.triage.filters import Filter
    from glm4v_tui.triage.queue import Queue

__all__ = ["REJECTED", "Progress", "Review"]

_LOOK_S = 0.3
"""How long files may be read on the way to the next image, to find out which were only renamed."""
_QUICK_BYTES = 1 << 24
"""A larger file is not read for that."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a review has come, over all images whatever is shown."""

    done: int
    """Labeled or skipped."""
    total: int
    skipped: int = 0
    automatic: int = 0
    """Labeled for being probable, and by no reviewer yet."""
    per_minute: float | None = None
    """Verdicts of this session; None until there are two."""

    @property
    def left(self) -> int:
        return self.total - self.done

    @property
    def seconds_left(self) -> float | None:
        return 60 * self.left / self.per_minute if self.per_minute else None


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
        task: Task[Any, Any],
        queue: Queue,
        *,
        reviewer: str = "",
        session: str = "",
        model_label_of: Callable[[Path], tuple[str | None, float | None]] = _nothing_said,
    ) -> None:
        private = task.is_private
        self.task = task
        self.queue = queue
        self.filter: Filter = ALL
        self.order = Order.NAME
        self._files = Files(database, is_private=private)
        self._verdicts = Verdicts(
            database, task.name, reviewer=reviewer, session=session, is_private=private
        )
        self._model_label_of = model_label_of
        self._pace = Pace()
        self.standings = Standings(queue.total)
        self._began = self._seen = self._verdicts.last_id()
        self._recall()

    # Looking ------------------------------------------------------------------------------------

    @property
    def current(self) -> Path | None:
        """The image under review; None where the filter lets none through."""
        return self.queue.current

    @property
    def index(self) -> int:
        """Its number. Only where there is one."""
        index = self.queue.index
        assert index is not None, "nothing is shown"
        return index

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

    @property
    def labels(self) -> tuple[str, ...]:
        """What a reviewer may give, as the task names it."""
        return tuple(label.name for label in self.task.labels)

    def verdict_of(self, path: Path) -> Verdict:
        """What holds for an image; nothing where its content is not known yet."""
        index = self.queue.listing.find(str(path))
        return NO_VERDICT if index is None else self.verdict_at(index)

    def verdict_at(self, index: int) -> Verdict:
        """The same by the image's number."""
        digest = self.standings.digest(index)
        return NO_VERDICT if digest is None else self._verdicts.of(digest)

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
        self._decide("label", label=label, seconds=seconds)

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
        self._decide("label", label=label, seconds=seconds)

    def reject(self, *, seconds: float | None = None) -> None:
        """The model's label is wrong; say no more than that."""
        self._decide("label", label=REJECTED, seconds=seconds)

    def skip(self, *, seconds: float | None = None) -> None:
        """Leave the image undecided on purpose: it is not shown again of itself."""
        self._decide("skip", seconds=seconds)

    def flag(self) -> bool:
        """Flag the current image, or take its flag away; whether it is flagged now."""
        digest = self._digest(self.index)
        is_flagged = self._verdicts.of(digest).is_flagged
        self._add(Event(digest, "unflag" if is_flagged else "flag", self.current))
        return not is_flagged

    def note(self, text: str) -> None:
        """Write a note to the current image in place of the one that it has; empty: none."""
        self._add(Event(self._digest(self.index), "note", self.current, note=text))

    def undo(self) -> Path | None:
        """Take back what this reviewer did last in this queue, and go back to that image; None
        where there is nothing to take back.

        Goes on through what he did before this run of the program began, but never takes back what
        another process does meanwhile.
        """
        self._catch_up()
        for done in self._verdicts.to_undo(self._began):
            index = next(self.standings.with_digest(done.digest), None)
            if index is not None and self._verdicts.undo([done.id]):
                self._catch_up()
                if not self.queue.go_to(index):
                    self.show(ALL)
                    self.queue.go_to(index)
                return self.current
        return None

    def _decide(self, kind: str, *, label: str | None = None, seconds: float | None) -> None:
        index = self.index
        digest = self._digest(index)
        said, probability = self._opinion(index)
        self._add(
            Event(
                digest,
                kind,
                self.current,
                label=label,
                model_label=said,
                probability=probability,
                seconds=seconds,
            )
        )
        self._pace.decided(time.monotonic())

    def _add(self, event: Event) -> None:
        self._verdicts.add([event])
        self._catch_up()

    # Going on -----------------------------------------------------------------------------------

    def advance(self) -> bool:
        """Go to the next image that is not decided, from the first again after the last; whether
        there is one."""
        self._catch_up()
        until = time.perf_counter() + _LOOK_S
        for position in self.queue.onward():
            if self._is_open(self.queue.at(position), until):
                self.queue.go(position)
                return True
        return False

    def resume(self) -> bool:
        """Go to the first image that is not decided; whether there is one."""
        self.queue.go(0)
        if not len(self.queue):
            return False
        return self._is_open(self.index, time.perf_counter() + _LOOK_S) or self.advance()

    def _is_open(self, index: int, until: float) -> bool:
        """Whether an image waits for a verdict. What would be passed over is looked at first: the
        file must be the one that was decided. A file that was not read yet may be a renamed one.

        Args:
            until: The time (``perf_counter``) after which no file is read for that.
        """
        if not self.standings.is_checked(index):
            self._check(index, until)
        return not self.standings.is_decided(index)

    def _check(self, index: int, until: float) -> None:
        """Look whether a file is what it was; one that cannot be looked at stays as it is."""
        path = self.queue.path(index)
        try:
            status = path.stat()
            if self.standings.has_status(index, status):
                self.standings.set_checked(index)
            elif self.standings.is_decided(index) or (
                self._seen and status.st_size <= _QUICK_BYTES and time.perf_counter() < until
            ):
                self.learn_digest(index, digest_of(self._files, path))
        except (OSError, ImageError):
            return

    # What is shown ------------------------------------------------------------------------------

    def show(self, filter_: Filter | None = None, order: Order | None = None) -> int:
        """Show other images, or in another order; how many are shown."""
        self._catch_up()
        self.filter = self.filter if filter_ is None else filter_
        self.order = self.order if order is None else order
        chosen = [index for index in range(self.queue.total) if self.filter(self.standings, index)]
        keys = {Order.UNCERTAIN: self._surety, Order.LABEL: self._label_number}
        self.queue.show(chosen, keys.get(self.order))
        return len(self.queue)

    def _surety(self, index: int) -> float:
        probability = self.standings.probability(index)
        return LAST if probability is None else probability

    def _label_number(self, index: int) -> float:
        label = self.standings.model_label(index)
        if label is None:
            return LAST
        return self.labels.index(label) if label in self.labels else len(self.labels)

    # The model and the files --------------------------------------------------------------------

    def learn(self, index: int, digest: str, label: str | None, probability: float | None) -> None:
        """The model has looked at an image, or what it said once was found again.

        Args:
            digest: Of the file that it has seen.
            label: The model's; None where it names none.
            probability: Of that label; None where it was not asked.
        """
        self.learn_digest(index, digest)
        for same in self.standings.with_digest(digest):
            self.standings.set_opinion(same, label, probability)
            self.queue.replace(same)

    def learn_digest(self, index: int, digest: str) -> None:
        """The content of an image is known; a verdict on the same content is one on this image."""
        self.standings.set_checked(index)
        if self.standings.digest(index) == digest:
            return
        self.standings.set_digest(index, digest)
        self.standings.set_opinion(index, None, None)
        self.standings.set_verdict(index, self._verdicts.of(digest))

    def _opinion(self, index: int) -> tuple[str | None, float | None]:
        label = self.standings.model_label(index)
        if label is not None:
            return label, self.standings.probability(index)
        return self._model_label_of(self.queue.path(index))

    def _digest(self, index: int) -> str:
        """Of the file as it is; it must be as it was if it was looked at before."""
        known = self.standings.digest(index) if self.standings.is_checked(index) else None
        path = self.queue.path(index)
        digest = digest_of(self._files, path)
        self.learn_digest(index, digest)
        if known is not None and known != digest:
            raise ImageChangedError(
                "The file was changed while it was under review",
                f"{plain_line(str(path))} is not what was shown.",
                "Look at it again and decide anew.",
            )
        return digest

    def _catch_up(self) -> None:
        """Take over what happened in the store since, here and in other processes."""
        newest = self._verdicts.last_id()
        if newest == self._seen:
            return
        for digest, path in self._verdicts.changed_since(self._seen).items():
            verdict = self._verdicts.of(digest)
            for index in self._with_digest(digest, path):
                self.standings.set_verdict(index, verdict)
        self._seen = newest

    def _with_digest(self, digest: str, path: Path | None) -> Iterable[int]:
        """The images of this content; also one that only another process has read."""
        found = list(self.standings.with_digest(digest))
        if not found and path is not None:
            index = self.queue.listing.find(str(path))
            if index is not None and self.standings.digest(index) is None:
                self.standings.set_digest(index, digest)
                return [index]
        return found

    def _recall(self) -> None:
        """What the store knows of the images of the queue; the files themselves are not touched,
        and are believed to be what they were until they are looked at."""
        verdicts = self._verdicts.all()
        for index, file in remembered_in(self.queue.listing, self._files, self.task.is_private):
            self.standings.set_digest(index, file.digest)
            self.standings.set_status(index, file.size, file.mtime_ns)
            if (verdict := verdicts.get(file.digest)) is not None:
                self.standings.set_verdict(index, verdict)
