"""Where the reviewer will be when the model is done: his speed against the model's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_WEIGHT = 0.3
"""Of the newest time in a running mean."""
_PATIENCE = 1.5
"""A reviewer who stays at an image this many times as long as usual waits for its result."""
_NEARLY = 0.7
"""Of a job's usual time: one that is that far is not ended any more."""
_MOST_AHEAD = 50


class Forecast:
    """Running means of how long the reviewer stays at an image, and the model works on one.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._stay: float | None = None
        self._work: float | None = None
        self._arrived = clock()
        self._position: int | None = None

    def arrived(self, position: int) -> None:
        """The reviewer is at this position now."""
        now = self._clock()
        before = self._position
        if before is not None and position == before + 1:
            self._stay = _mean(self._stay, now - self._arrived)
        elif position != before:
            self._stay = None  # he has gone elsewhere, and says nothing of his speed by that
        if position != before:
            self._arrived = now
        self._position = position

    def finished(self, took: float) -> None:
        """The model is done with a job.

        Args:
            took: Seconds; where several are at work together, its share of them.
        """
        self._work = _mean(self._work, took)

    def passed(self, taken: float) -> None:
        """The reviewer went past the image that the model works on: it takes longer than was
        thought. Doubling the time that was not enough soon finds one that is."""
        self._work = max(self._work or 0.0, 2 * taken)

    def is_nearly_done(self, taken: float) -> bool:
        """Whether a job that has taken so long will end soon."""
        return self._work is not None and taken >= _NEARLY * self._work

    def is_passing(self) -> bool:
        """Whether the reviewer will be gone before the model could answer, as far as it looks."""
        return self.patience_left() is not None

    def patience_left(self) -> float | None:
        """Seconds until a reviewer who is faster than the model counts as waiting for a result;
        None where he is not faster, or waits already."""
        if self._stay is None or self._work is None or self._stay >= self._work:
            return None
        left = _PATIENCE * self._stay - (self._clock() - self._arrived)
        return left if left > 0 else None

    def lead(self, beside: int = 0) -> int:
        """How many images on the reviewer will be when a job that begins now is done: 0 for one
        who is not faster than the model.

        Args:
            beside: Jobs that the model works on already.
        """
        if self._stay is None or self._work is None or not self.is_passing():
            return 0
        end = self._clock() + (1 + beside) * self._work - self._arrived
        return min(_MOST_AHEAD, max(1, math.ceil(end / max(self._stay, 0.01))))


def _mean(mean: float | None, value: float) -> float:
    return value if mean is None else (1 - _WEIGHT) * mean + _WEIGHT * value
