"""How far a review has come, and how fast it goes on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_RECENT = 50
_PAUSE_S = 60.0
"""A longer time between two verdicts was a break, and counts as this much."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Over all images, whatever is shown."""

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


class Pace:
    """The speed over the last verdicts of this session."""

    def __init__(self) -> None:
        self._intervals: deque[float] = deque(maxlen=_RECENT)
        self._last: float | None = None

    def decided(self, now: float) -> None:
        """Another image is decided.

        Args:
            now: Seconds of any clock that does not go back.
        """
        if self._last is not None:
            self._intervals.append(min(now - self._last, _PAUSE_S))
        self._last = now

    @property
    def per_minute(self) -> float | None:
        """None until two images are decided."""
        total = sum(self._intervals)
        return 60 * len(self._intervals) / total if total > 0 else None
