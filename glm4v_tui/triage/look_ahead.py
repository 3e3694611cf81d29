"""The model works ahead of the reviewer, in the order of the queue."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from glm4v_tui.errors import EngineError, GlmError, StoreError
from glm4v_tui.triage.forecast import Forecast
from glm4v_tui.triage.requests import Withdrawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from glm4v_tui.triage.review import Review

_MOST_FAILURES = 3
"""Failures of the model one after the other, from which on it is not asked again of itself."""


class Opinion(Protocol):
    """What the model says of an image (``triage.asking.Judged``)."""

    @property
    def digest(self) -> str: ...
    @property
    def label(self) -> str | None: ...
    @property
    def probabilities(self) -> Mapping[str, float]: ...
    @property
    def is_stored(self) -> bool: ...


class Judge(Protocol):
    """Who asks the model (``triage.asking.Asker``). Ends what it asks when it is cancelled."""

    async def judge(self, path: Path, *, urgent: bool = False) -> Opinion: ...


@dataclass(frozen=True)
class _Job:
    """An image that the model is asked about."""

    index: int
    path: Path
    work: asyncio.Future[Opinion]
    started: float
    """By the clock."""
    beside: int
    """Jobs that were at work then, this one among them."""


class LookAhead:
    """Asks about the image under review first, then about those after it, then about the rest.

    One job at a time, or several with a model that takes them together: one more than there are
    images before the reviewer that are done, so that those he comes to next are not delayed by
    those after them. A job is ended when it is not wanted any more: the reviewer went past it or
    elsewhere, or waits for another one. A reviewer who is faster than the model is not followed
    from image to image, where every result would come too late: the model works on those that he
    will have come to when it is done, until he stops at one.

    Args:
        on_judged: Is told of every image that the model has looked at, or of why it could not.
        clock: Seconds.
    """

    def __init__(
        self,
        judge: Judge,
        review: Review,
        on_judged: Callable[[Path, Opinion | GlmError], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._judge = judge
        self._review = review
        self._on_judged = on_judged
        self._forecast, self._clock = Forecast(clock), clock
        self._done = bytearray(review.queue.total)
        """By number: the model has looked at it, or could not."""
        self._frontiers: dict[bool, tuple[int, int, int]] = {}
        """(version of what is shown, from, to): positions between are all done. One from the very
        first position, one from wherever else was asked last."""
        self._may_work = asyncio.Event()
        self._may_work.set()
        self._changed = asyncio.Event()
        self._failures = 0
        self._jobs: dict[int, _Job] = {}
        """By number of the image."""
        self._told: int | None = None
        self.at_once = 1
        """Jobs that the model makes use of at a time (``ModelInfo.at_once``)."""

    # What others say ----------------------------------------------------------------------------

    def moved(self) -> None:
        """The reviewer is at another image, or another choice or order is shown."""
        self._forecast.arrived(self._review.queue.position)
        self._changed.set()

    def pause(self) -> None:
        """Let go of the model: somebody else asks it."""
        self._may_work.clear()
        self._changed.set()

    def resume(self) -> None:
        """Go on after a pause, or after the model has failed for good and was loaded again."""
        self._failures = 0
        self._may_work.set()

    @property
    def working_on(self) -> int | None:
        """The number of the image that is told of, else of the one that is asked about now."""
        if self._told is not None:
            return self._told
        index = self._review.queue.index
        return index if index in self._jobs else next(iter(self._jobs), None)

    def is_working_on(self, index: int | None) -> bool:
        """Whether the model is asked about an image now."""
        return index in self._jobs

    @property
    def is_paused(self) -> bool:
        return not self._may_work.is_set()

    def is_done(self, index: int) -> bool:
        """Whether the model has looked at an image in this run, or could not."""
        return bool(self._done[index])

    def again(self, index: int) -> None:
        """Ask about an image once more: its file has changed, or what failed is repaired."""
        self._done[index] = 0
        self._frontiers.clear()
        self._changed.set()

    # Working ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                self._changed.clear()
                await self._let_go([job for job in self._jobs.values() if not self._is_wanted(job)])
                self._take_ended()
                if self.is_paused:
                    await self._may_work.wait()
                    continue
                self._begin_jobs()
                await self._wait()
                self._take_ended()
        finally:
            await self._let_go(list(self._jobs.values()))

    def _begin_jobs(self) -> None:
        while self._has_room() and (index := self._next()) is not None:
            path = self._review.queue.path(index)
            is_urgent = self.at_once > 1 and index == self._review.queue.index
            work = asyncio.ensure_future(self._judge.judge(path, urgent=is_urgent))
            self._jobs[index] = _Job(index, path, work, self._clock(), 1 + len(self._jobs))

    def _has_room(self) -> bool:
        """Whether a job may be begun: always the one for an image that is waited for."""
        if not self._jobs or (self.at_once > 1 and self._is_waited_for()):
            return True
        start = self._review.queue.position + self._forecast.lead()
        first = self._to_do(start)
        done = max(0, (len(self._review.queue) if first is None else first) - start)
        return len(self._jobs) < min(self.at_once, 1 + done)

    def _is_waited_for(self) -> bool:
        """Whether the reviewer looks at an image that nobody has begun with."""
        index = self._review.queue.index
        if index is None or index in self._jobs or self._done[index]:
            return False
        return not self._forecast.is_passing()

    async def _wait(self) -> None:
        """Until a job ends, or one may not be wanted any more, or another one may be."""
        change = asyncio.ensure_future(self._changed.wait())
        awaited: list[asyncio.Future[Any]] = [change, *(job.work for job in self._jobs.values())]
        patience = self._forecast.patience_left() if self._jobs else None
        try:
            await asyncio.wait(awaited, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            change.cancel()

    async def _let_go(self, jobs: list[_Job]) -> None:
        """End jobs that have not ended."""
        going = [job for job in jobs if not job.work.done()]
        for job in going:
            self._jobs.pop(job.index)
            job.work.cancel()
        for job in going:
            with contextlib.suppress(asyncio.CancelledError, GlmError, Withdrawn):
                await job.work

    def _take_ended(self) -> None:
        for job in [job for job in self._jobs.values() if job.work.done()]:
            self._told = job.index
            try:
                self._take(job)
            finally:
                self._told = None
                del self._jobs[job.index]

    def _take(self, job: _Job) -> None:
        index, path = job.index, job.path
        try:
            opinion = job.work.result()
        except (asyncio.CancelledError, Withdrawn):  # by somebody else: asked again in its turn
            return
        except GlmError as error:
            self._failed(index, error)
            self._on_judged(path, error)
            return
        self._failures = 0
        self._done[index] = 1
        if not opinion.is_stored:
            self._forecast.finished(self._taken(job))
        label = opinion.label
        chance = opinion.probabilities.get(label) if label is not None else None
        self._review.learn(index, opinion.digest, label, chance)
        self._on_judged(path, opinion)

    def _taken(self, job: _Job) -> float:
        """Seconds since it began; its share of them, where others were at work beside it."""
        return 2 * (self._clock() - job.started) / (job.beside + max(1, len(self._jobs)))

    def _failed(self, index: int, error: GlmError) -> None:
        """An image that fails is left out; a model or store that fails for all stops the work."""
        self._done[index] = 1
        self._failures = self._failures + 1 if isinstance(error, EngineError) else 0
        if isinstance(error, StoreError) or self._failures >= _MOST_FAILURES:
            self._done[index] = 0
            self._may_work.clear()

    # Which --------------------------------------------------------------------------------------

    def _is_wanted(self, job: _Job) -> bool:
        """Whether a job that has begun is to go on."""
        if self.is_paused:
            return False
        queue = self._review.queue
        if job.index == queue.index or self._forecast.is_nearly_done(self._taken(job)):
            return True
        position = queue.position_of(job.index)
        if position is None or queue.index is None:
            return False
        if position == queue.position - 1:
            self._forecast.passed(self._taken(job))
        if self.at_once > 1:  # it holds up no other, and goes on unless others come before it
            return position > queue.position or self._free(queue.position) is None
        is_waited_for = not self._done[queue.index] and not self._forecast.is_passing()
        return position > queue.position and not is_waited_for

    def _next(self) -> int | None:
        """The image to ask about; None where all are done."""
        queue = self._review.queue
        if not len(queue):
            return None
        first = queue.position + (
            0 if self._is_waited_for() else self._forecast.lead(len(self._jobs))
        )
        for start in (first, queue.position, 0):
            if (position := self._free(start)) is not None:
                return queue.at(position)
        return None

    def _free(self, first: int) -> int | None:
        """The first position from here on that is not done and that nobody works on."""
        queue, at = self._review.queue, self._to_do(first)
        while at is not None and (self._done[queue.at(at)] or queue.at(at) in self._jobs):
            at = at + 1 if at + 1 < len(queue) else None
        return at

    def _to_do(self, first: int) -> int | None:
        """The first position from here on that is not done."""
        queue = self._review.queue
        version, start, end = self._frontiers.get(first == 0, (-1, 0, 0))
        at = end if version == queue.version and start <= first <= end else first
        while at < len(queue) and self._done[queue.at(at)]:
            at += 1
        self._frontiers[first == 0] = (queue.version, first, at)
        return at if at < len(queue) else None
