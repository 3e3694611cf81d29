"""How many bytes have gone by: a bar in a terminal, else a line at times, on standard error."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import TextIO

from glm4v_tui.commands.batch_progress import columns, duration
from glm4v_tui.commands.model.words import size

_REDRAW_S = 0.1
_LINE_S = 10.0
_WINDOW_S = 15.0
"""The rate is that of the last seconds: it follows a line that becomes slow."""
_BAR = 24
_NARROW = 80


class ByteProgress:
    """Tells how far something is that takes minutes.

    Args:
        out: Where it is told; standard error by default.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._is_bar = self._out.isatty()
        self._told_at = time.monotonic() if not self._is_bar else 0.0
        self._width = 0
        self._marks: deque[tuple[float, int]] = deque()
        self.done = 0
        self.total = 0

    def __call__(self, done: int, total: int) -> None:
        """Take the bytes so far, and all there are."""
        now = time.monotonic()
        if not self._marks or done < self.done:
            self._marks.clear()  # the start, or bytes that were no good
        self.done, self.total = done, total
        if not self._marks or now - self._marks[-1][0] >= _REDRAW_S or done == total:
            self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[0][0] > _WINDOW_S:
            self._marks.popleft()
        if now - self._told_at >= (_REDRAW_S if self._is_bar else _LINE_S):
            self._told_at = now
            self._tell()

    def clear(self) -> None:
        """Take the bar away."""
        if self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    @property
    def rate(self) -> float:
        """Bytes a second; 0 where it is not known yet."""
        if len(self._marks) < 2:
            return 0.0
        (start, before), (end, after) = self._marks[0], self._marks[-1]
        return (after - before) / (end - start) if end - start > 0.2 else 0.0

    def words(self) -> str:
        """``6.2 GiB of 18.5 GiB, 85.0 MiB/s, 2 min left``."""
        parts = [f"{size(self.done)} of {size(self.total)}"]
        if rate := self.rate:
            parts.append(f"{size(rate)}/s")
            if left := self.total - self.done:
                parts.append(f"{duration(left / rate)} left")
        return ", ".join(parts)

    def _tell(self) -> None:
        share = self.done / self.total if self.total else 1.0
        if not self._is_bar:
            self._write(f"{share:.0%}, {self.words()}\n")
            return
        width = columns(self._out)
        filled = int(share * _BAR)
        bar = "=" * filled + ">" * (filled < _BAR) + " " * (_BAR - filled - 1)
        lead = f"[{bar}] " if width >= _NARROW else ""
        line = f"{lead}{share:4.0%} {self.words()}"[: width - 1]
        self._write("\r" + line.ljust(self._width))
        self._width = len(line)

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
