"""The model works ahead of the reviewer, in the order of the queue."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Protocol

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

    async def judge(self, path: Path) -> Opinion: ...


class LookAhead:
    """Asks about the image under review first, then about those after it, then about the rest.

    One job at a time. It is ended when it is not wanted any more: the reviewer went past it or
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
        self._forecast = Forecast(clock)
        self._done = bytearray(review.queue.total)
        """By number: the model has looked at it, or could not."""
        self._frontier = (-1, 0, 0)
        """(version of what is shown, from, to): positions between are all done."""
        self._may_work = asyncio.Event()
        self._may_work.set()
        self._changed = asyncio.Event()
        self._failures = 0
        self.working_on: int | None = None
        """The number of the image that is asked about now."""

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
    def is_paused(self) -> bool:
        return not self._may_work.is_set()

    def is_done(self, index: int) -> bool:
        """Whether the model has looked at an image in this run, or could not."""
        return bool(self._done[index])

    def again(self, index: int) -> None:
        """Ask about an image once more: its file has changed, or what failed is repaired."""
        self._done[index] = 0
        self._frontier = (-1, 0, 0)
        self._changed.set()

    # Working ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._may_work.wait()
            self._changed.clear()
            index = self._next()
            if index is None:
                await self._changed.wait()
            else:
                await self._work_on(index)

    async def _work_on(self, index: int) -> None:
        self.working_on = index
        path = self._review.queue.path(index)
        self._forecast.started()
        job = asyncio.ensure_future(self._judge.judge(path))
        try:
            if await self._is_through(job, index):
                self._take(index, path, job)
        finally:
            self.working_on = None
            if not job.done():
                job.cancel()
                with contextlib.suppress(asyncio.CancelledError, GlmError, Withdrawn):
                    await job

    async def _is_through(self, job: asyncio.Future[Opinion], index: int) -> bool:
        """Wait for a job's end, or until it is not wanted any more."""
        while True:
            change = asyncio.ensure_future(self._changed.wait())
            patience = self._forecast.patience_left()
            try:
                await asyncio.wait(
                    (job, change), timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                change.cancel()
            if job.done():
                return True
            self._changed.clear()
            if self.is_paused or not self._is_wanted(index):
                return False

    def _take(self, index: int, path: Path, job: asyncio.Future[Opinion]) -> None:
        try:
            opinion = job.result()
        except (asyncio.CancelledError, Withdrawn):  # by somebody else: asked again in its turn
            return
        except GlmError as error:
            self._failed(index, error)
            self._on_judged(path, error)
            return
        self._failures = 0
        self._done[index] = 1
        if not opinion.is_stored:
            self._forecast.finished()
        label = opinion.label
        chance = opinion.probabilities.get(label) if label is not None else None
        self._review.learn(index, opinion.digest, label, chance)
        self._on_judged(path, opinion)

    def _failed(self, index: int, error: GlmError) -> None:
        """An image that fails is left out; a model or store that fails for all stops the work."""
        self._done[index] = 1
        self._failures = self._failures + 1 if isinstance(error, EngineError) else 0
        if isinstance(error, StoreError) or self._failures >= _MOST_FAILURES:
            self._done[index] = 0
            self._may_work.clear()

    # Which --------------------------------------------------------------------------------------

    def _is_wanted(self, index: int) -> bool:
        """Whether a job that has begun is to go on."""
        queue = self._review.queue
        if index == queue.index or self._forecast.is_nearly_done():
            return True
        position = queue.position_of(index)
        if position is None or queue.index is None:
            return False
        if position == queue.position - 1:
            self._forecast.passed()
        is_waited_for = not self._done[queue.index] and not self._forecast.is_passing()
        return position > queue.position and not is_waited_for

    def _next(self) -> int | None:
        """The image to ask about; None where all are done."""
        queue = self._review.queue
        if not len(queue):
            return None
        for first in (queue.position + self._forecast.lead(), queue.position, 0):
            if (position := self._to_do(first)) is not None:
                return queue.at(position)
        return None

    def _to_do(self, first: int) -> int | None:
        """The first position from here on that is not done."""
        queue = self._review.queue
        version, start, end = self._frontier
        at = end if version == queue.version and start <= first <= end else first
        while at < len(queue) and self._done[queue.at(at)]:
            at += 1
        self._frontier = (queue.version, first, at)
        return at if at < len(queue) else None
