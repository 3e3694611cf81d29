"""When to draw a picture, so that a slow link shows the last key pressed and not the one before.

A picture is a hundred times as many bytes as a line of text, and what was handed to the terminal
cannot be taken back. So a picture waits until the keys pause, comes coarse first when they came
in a burst, and large ones are handed over in bands with the link's time between them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

QUIET = 0.08
"""Seconds without another request before anything is drawn."""
BURST_QUIET = 0.12
"""The same once requests came in a burst: key repeat is uneven when it crosses a network."""
BURST_SECONDS = 0.2
"""Requests closer than this are a burst."""
STILL = 0.3
"""Seconds that a coarse picture stays before the fine one is drawn."""
COARSE_BYTES = 40_000
"""The most that is drawn first in a burst: 0.16 s on a link of 250 KB/s."""
BURST_BYTES = 80_000
"""The most that is drawn at once after a burst; above it a coarse picture comes first. With the
wait and the decoding, the screen is then within half a second of the last key on that link."""
PREVIEW_SECONDS = 0.2
"""How often a coarse picture may be drawn while keys still come: 200 KB/s."""
WHOLE_BYTES = 160_000
"""The most that is handed over at once on a link that is idle."""
BAND_SECONDS = 0.1
"""How long the link may be busy with one band."""
BAND_LINK = 250_000
"""Bytes a second that bands are cut for at most."""

EAGER_SECONDS = 0.15
"""How long the link may be busy with a picture that is drawn at the very key."""
EAGER_GAP = 0.05
"""The least time between two pictures that are drawn at their keys."""


class Pace:
    """What one picture's place on the screen may send, and when.

    Args:
        link: Bytes a second that the terminal takes.
        clock: Seconds, rising.
    """

    def __init__(self, link: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.link = link
        self._clock = clock
        self._sent_at = self._carried_at = self._settled_at = clock()

    def sent(self, size: int) -> None:
        """Note that this many bytes were handed to the terminal."""
        self._sent_at = now = self._clock()
        self._carried_at = max(self._carried_at, now) + size / self.link
        self._settled_at = max(self._settled_at, now) + size / BAND_LINK

    @property
    def key_wait(self) -> float:
        """Seconds to wait after a single request: longer while a slow link carries the last."""
        return max(QUIET, min(BURST_SECONDS, self._settled_at - self._clock()))

    @property
    def burst_wait(self) -> float:
        """Seconds to wait in a burst: until the keys pause and any link has carried the last."""
        return max(BURST_QUIET, self._settled_at - self._clock())

    @property
    def eager_wait(self) -> float:
        """Seconds until a picture may be drawn at its key: the link has carried the last by then.

        Who waits so long and is replaced meanwhile was only passed through.
        """
        return max(0.0, self.backlog, self._sent_at + EAGER_GAP - self._clock())

    def fits_eagerly(self, size: int) -> bool:
        """Whether this much can be drawn at its key, with the next one not waiting behind it."""
        return size <= self.link * EAGER_SECONDS

    @property
    def has_room(self) -> bool:
        """Whether a coarse picture may be drawn although keys still come."""
        return not self.backlog and self._clock() - self._sent_at >= PREVIEW_SECONDS

    @property
    def backlog(self) -> float:
        """Seconds until the link has carried what was sent."""
        return max(0.0, self._carried_at - self._clock())

    def fits(self, size: int, limit: float = 0) -> bool:
        """Whether this much can be drawn at once without the next key waiting behind it."""
        limit = limit or max(WHOLE_BYTES, self.link * BAND_SECONDS)
        return self.backlog < BAND_SECONDS and size <= limit

    def bands(self, sizes: Sequence[int]) -> Iterator[range]:
        """Cut rows of these sizes (bytes) into ranges, one to be drawn each ``BAND_SECONDS``.

        Also where the link seems fast: keys came in a burst, and more may be on their way.
        """
        limit = min(self.link, BAND_LINK) * BAND_SECONDS
        start = total = 0
        for row, size in enumerate(sizes):
            if total and total + size > limit:
                yield range(start, row)
                start, total = row, 0
            total += size
        if start < len(sizes):
            yield range(start, len(sizes))
