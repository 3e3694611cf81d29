"""How far ``glm4v-tui batch`` is, on standard error: a bar in a terminal, else a line at times."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from typing import TextIO

_REDRAW_S = 0.1
_LINE_S = 10.0
_WINDOW_S = 60.0
"""The rate is that of the last minute, of images that the model was asked about: what is known
already goes by at once."""
_BAR = 24
_NARROW = 80
"""Columns below which there is no room for a bar beside the words."""


class Progress:
    """Counts images.

    Args:
        total: Images that are to be written.
        is_quiet: Tells errors alone.
        out: Where it is told; standard error by default.
    """

    def __init__(self, total: int, *, is_quiet: bool = False, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._is_quiet = is_quiet
        self._is_bar = not is_quiet and self._out.isatty()
        self._total = total
        self._told_at = 0.0
        self._width = 0
        self._note = ""
        self.done = 0
        self.failed = 0
        self._asked = 0
        self._times = deque([(time.monotonic(), 0)])

    def begin(self, note: str) -> None:
        """Say what the images wait for; empty when they do not wait any more."""
        self._note = note
        self._times = deque([(time.monotonic(), self._asked)])
        self._tell()

    def step(self, *, asked: bool = False, failed: bool = False) -> None:
        """One image more.

        Args:
            asked: The model was asked now; else it was known already.
        """
        self.done += 1
        self.failed += failed
        self._asked += asked
        now = time.monotonic()
        self._times.append((now, self._asked))
        while len(self._times) > 2 and now - self._times[0][0] > _WINDOW_S:
            self._times.popleft()
        pause = _REDRAW_S if self._is_bar else _LINE_S
        if now - self._told_at >= pause or self.done == self._total:
            self._tell()

    def say(self, line: str) -> None:
        """Write a line of its own."""
        if not self._is_quiet:
            self.say_error(line)

    def say_error(self, line: str) -> None:
        """The same of what is told also where progress is not."""
        self.clear()
        self._write(f"{line}\n")

    def clear(self) -> None:
        """Take the bar away."""
        if self._is_bar and self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    @property
    def rate(self) -> float:
        """Images a second; 0 where it is not known yet."""
        (start, before), (end, after) = self._times[0], self._times[-1]
        return (after - before) / (end - start) if end > start else 0.0

    def words(self) -> str:
        """``37/100, 2.1 images/s, 30 s left, 1 failed``."""
        parts = [f"{self.done}/{self._total}"]
        if self._note:
            parts.append(self._note)
        elif rate := self.rate:
            parts.append(f"{rate:.3g} images/s")
            if left := self._total - self.done:
                parts.append(f"{duration(left / rate)} left")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return ", ".join(parts)

    def _tell(self) -> None:
        if self._is_quiet:
            return
        self._told_at = time.monotonic()
        if not self._is_bar:
            self._write(f"{self.words()}\n")
            return
        width = columns(self._out)
        bar = f"{self._bar()} " if width >= _NARROW else ""
        line = f"{bar}{self.words()}"[: width - 1]
        self._write("\r" + line.ljust(self._width))
        self._width = len(line)

    def _bar(self) -> str:
        share = self.done / self._total if self._total else 1.0
        filled = int(share * _BAR)
        bar = "=" * filled + ">" * (filled < _BAR) + " " * (_BAR - filled - 1)
        return f"[{bar}] {share:4.0%}"

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 5 min``."""
    if seconds < 99.5:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def columns(out: TextIO) -> int:
    """The width of a terminal; 80 where it does not tell."""
    try:
        return os.get_terminal_size(out.fileno()).columns or 80
    except OSError:
        return 80
