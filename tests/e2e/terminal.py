"""The real program in a real terminal, with a screen to look at."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import psutil
import pyte

from glm4v_tui.bench.terminal import Terminal

# What pyte would print instead of ignoring: private CSI (kitty keys), and strings (DCS, APC, PM).
_UNKNOWN = re.compile(rb"\x1b\[[<=>][0-9;:]*[ -/]*[@-~]|\x1b[P^_][^\x1b]*\x1b\\")
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-9;:<=>?]*[ -/]*|[P^_][^\x1b]*\x1b?)?\Z")


class ScreenTerminal(Terminal):
    """A :class:`Terminal` whose output is drawn on a screen of cells."""

    def __init__(self, argv, **options) -> None:
        super().__init__(argv, **options)
        self.screen = pyte.Screen(*self.size)
        self._stream = pyte.ByteStream(self.screen)
        self._drawn = 0

    # Screen ---------------------------------------------------------------------------------

    def screen_lines(self) -> list[str]:
        """What stands on the screen now, line by line."""
        self._draw()
        return [self._line(row).rstrip() for row in range(self.screen.lines)]

    def _line(self, row: int) -> str:
        # Not Screen.display: it stops at the second half of a wide character of which the first
        # half was written over. Second halves are cells without a character.
        cells = self.screen.buffer[row]
        return "".join(cells[column].data for column in range(self.screen.columns))

    def screen_text(self) -> str:
        return "\n".join(self.screen_lines())

    def wait_for(self, pattern: str, timeout: float = 20.0) -> re.Match[str]:
        """Wait until the screen shows ``pattern`` (a regular expression; ^ and $ mean a line's)."""
        search = re.compile(pattern, re.MULTILINE)
        self._wait_screen(lambda text: search.search(text), timeout, f"{pattern!r} on the screen")
        return search.search(self.screen_text())

    def wait_gone(self, pattern: str, timeout: float = 20.0) -> None:
        """Wait until the screen does not show ``pattern`` any more."""
        search = re.compile(pattern, re.MULTILINE)
        self._wait_screen(
            lambda text: not search.search(text), timeout, f"screen without {pattern!r}"
        )

    def cell(self, column: int, row: int):
        """Character and colors at a place."""
        self._draw()
        return self.screen.buffer[row][column]

    def resize(self, columns: int, rows: int) -> None:
        super().resize(columns, rows)
        if hasattr(self, "screen"):
            self._draw()
            self.screen.resize(rows, columns)

    def save_picture(self, path: Path | str) -> Path:
        """Write what stands on the screen as a PNG."""
        from .picture import draw

        self._draw()
        draw(self.screen).save(path)
        return Path(path)

    def _wait_screen(self, condition, timeout, what):
        try:
            self.wait_until(lambda: condition(self.screen_text()), timeout, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen_text()}") from None

    def _draw(self) -> None:
        with self._news:
            fresh = bytes(self.output[self._drawn :])
            if not self._is_over and (rest := _UNFINISHED.search(fresh)):
                fresh = fresh[: rest.start()]
            self._drawn += len(fresh)
            self._stream.feed(_UNKNOWN.sub(b"", fresh))

    # Process --------------------------------------------------------------------------------

    def children(self) -> list[psutil.Process]:
        """All processes below the program."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def worker(self, timeout: float = 20.0) -> psutil.Process:
        """The model process, once it is there."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if found := [child for child in self.children() if _is_worker(child)]:
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"no worker process in {timeout} s\n{self.screen_text()}")

    def memory(self) -> int:
        """Resident bytes of the program itself."""
        return psutil.Process(self.process.pid).memory_info().rss


def _is_worker(process: psutil.Process) -> bool:
    try:
        return any("worker" in word for word in process.cmdline())
    except psutil.Error:
        return False


def wait_gone(processes, timeout: float = 10.0) -> None:
    """Wait until none of these processes lives; fail with those that do."""
    _, alive = psutil.wait_procs(processes, timeout)
    alive = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    assert not alive, f"left over: {alive}"


def environment(home: Path, **changes: str | None) -> dict[str, str]:
    """A user's plain environment: own home, true color, nothing of the developer's settings."""
    environ = {
        "HOME": str(home),
        "GLM4V_TUI_HOME": str(home / "glm4v-tui"),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH")])),
    }
    return {name: value for name, value in (environ | changes).items() if value is not None}


def program(*arguments: str) -> list[str]:
    """The command line of the program under test."""
    return [sys.executable, "-m", "glm4v_tui", *map(str, arguments)]
