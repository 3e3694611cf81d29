"""A program in a real pseudo-terminal: type into it, read what it writes, with times.

Nothing here knows what a screen looks like; it deals in bytes, as the wire to a terminal does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from threading import Condition, Thread
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_CHUNK = 1 << 16
_SYNC_QUERY, _SYNC_REPLY = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
FRAME_END = b"\x1b[?2026l"
"""Ends a frame: the terminal says that it can hold a frame back until it is whole, as most do."""

KEYS = {
    "enter": b"\r",
    "tab": b"\t",
    "shift+tab": b"\x1b[Z",
    "escape": b"\x1b",
    "space": b" ",
    "backspace": b"\x7f",
    "delete": b"\x1b[3~",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
    "pageup": b"\x1b[5~",
    "pagedown": b"\x1b[6~",
    "ctrl+end": b"\x1b[1;5F",
    "ctrl+home": b"\x1b[1;5H",
    "ctrl+up": b"\x1b[1;5A",
    "ctrl+down": b"\x1b[1;5B",
    "f1": b"\x1bOP",
    "f2": b"\x1bOQ",
    "f3": b"\x1bOR",
    "f4": b"\x1bOS",
    "f5": b"\x1b[15~",
    "f7": b"\x1b[18~",
}


class Chunk(NamedTuple):
    """Bytes that arrived together."""

    end: int
    """Bytes written in all, these included."""
    at: float
    """``time.perf_counter()`` of their arrival."""


class TerminalTimeoutError(AssertionError):
    """What was waited for did not come."""


class Terminal:
    """Runs ``argv`` in a pseudo-terminal of its own, as leader of its own session.

    Args:
        argv: Program and arguments.
        size: Columns and rows, set before the program starts.
        environ: The whole environment of the program.
        cwd: Its working directory.
        bytes_per_s: Read no faster than this: the speed of the line to the terminal.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        size: tuple[int, int] = (120, 40),
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        bytes_per_s: float | None = None,
    ) -> None:
        self.bytes_per_s = bytes_per_s
        self.output = bytearray()
        """All bytes written so far."""
        self._chunks: list[Chunk] = []
        self._news = Condition()
        self._is_over = False
        self._has_answered = False
        self._free_at = 0.0
        self._master, slave = pty.openpty()
        self.resize(*size)
        self.started_at = time.perf_counter()
        self.process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=dict(environ) if environ is not None else None,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_take_terminal,  # two system calls between fork and exec
        )
        os.close(slave)
        self._reader = Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Input ----------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Write bytes as the terminal would."""
        while data:
            data = data[os.write(self._master, data) :]

    def type(self, text: str) -> None:
        """Type text, key by key as far as the program can tell."""
        self.send(text.encode())

    def press(self, *keys: str) -> None:
        """Press keys by name: ``enter``, ``ctrl+p``, ``alt+x``, ``a``."""
        for key in keys:
            self.send(key_bytes(key))

    def paste(self, text: str) -> None:
        """Paste (or drop) text, in the brackets that terminals put around it."""
        self.send(b"\x1b[200~" + text.encode() + b"\x1b[201~")

    def resize(self, columns: int, rows: int) -> None:
        """Set the size; a running program gets SIGWINCH."""
        self.size = (columns, rows)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self) -> None:
        """Close the terminal, as a lost connection does: the program gets SIGHUP."""
        with self._news:
            if self._master >= 0:
                master, self._master = self._master, -1
                self._is_over = True
                os.close(master)
            self._news.notify_all()

    # Output ---------------------------------------------------------------------------------

    @property
    def written(self) -> int:
        """Bytes written so far."""
        return len(self.output)

    def wait_until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Wait until ``condition()``, looked at whenever something was written.

        Raises:
            TerminalTimeoutError: it did not come true in ``timeout`` seconds.
        """
        deadline = time.perf_counter() + timeout
        with self._news:
            while not condition():
                left = deadline - time.perf_counter()
                if left <= 0 or (self._is_over and not condition()):
                    raise TerminalTimeoutError(f"no {what} in {timeout:g} s; {self._ending()}")
                self._news.wait(min(left, 0.5))

    def wait_bytes(
        self, pattern: bytes | re.Pattern[bytes], *, since: int = 0, timeout: float = 20.0
    ) -> int:
        """Wait for bytes after offset ``since``; return the offset of their end."""
        search = re.compile(re.escape(pattern)) if isinstance(pattern, bytes) else pattern
        self.wait_until(
            lambda: search.search(self.output, since) is not None,
            timeout,
            f"{search.pattern!r} in what was written",
        )
        match = search.search(self.output, since)
        assert match is not None
        return match.end()

    def wait_quiet(self, seconds: float, timeout: float = 20.0) -> None:
        """Wait until nothing was written for ``seconds``."""
        deadline = time.perf_counter() + timeout
        while True:
            before = self.written
            time.sleep(seconds)
            if self.written == before:
                return
            if time.perf_counter() > deadline:
                raise TerminalTimeoutError(f"never quiet for {seconds:g} s in {timeout:g} s")

    def count_bytes(self, seconds: float) -> int:
        """Bytes written in the next ``seconds``."""
        before = self.written
        time.sleep(seconds)
        return self.written - before

    def time_of(self, offset: int) -> float:
        """When the byte before ``offset`` arrived (``time.perf_counter()``)."""
        low, high = 0, len(self._chunks) - 1
        while low < high:
            middle = (low + high) // 2
            if self._chunks[middle].end < offset:
                low = middle + 1
            else:
                high = middle
        return self._chunks[low].at

    def latency(
        self,
        keys: bytes,
        marker: bytes | re.Pattern[bytes] | None = None,
        timeout: float = 10.0,
    ) -> float:
        """Seconds from sending ``keys`` to the end of the frame that shows ``marker``.

        Without a marker the first frame that ends after the keys counts: right only for a
        program that is quiet.
        """
        since, start = self.written, time.perf_counter()
        self.send(keys)
        shown = self.wait_bytes(marker, since=since, timeout=timeout) if marker else since
        return self.time_of(self.wait_bytes(FRAME_END, since=shown, timeout=timeout)) - start

    # The process ----------------------------------------------------------------------------

    def wait_exit(self, timeout: float = 20.0) -> int:
        """Wait for the end; return the exit status (negative: the signal that ended it)."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TerminalTimeoutError(f"still running after {timeout:g} s") from None

    def close(self) -> None:
        """End the program, whatever it does, and everything that it started in its session."""
        self.hang_up()
        if self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(5)

    def _ending(self) -> str:
        status = self.process.poll()
        return "it still runs" if status is None else f"it ended with status {status}"

    def _read(self) -> None:
        while not self._is_over:
            try:
                ready, _, _ = select.select([self._master], [], [], 0.1)
                data = os.read(self._master, self._portion()) if ready else None
            except (OSError, ValueError):  # EIO: the last holder of the other end is gone
                data = b""
            if data is not None:
                self._take(data)

    def _portion(self) -> int:
        """Bytes to read at once: a hundredth of a second's worth of a slow line."""
        return _CHUNK if self.bytes_per_s is None else max(16, round(self.bytes_per_s / 100))

    def _take(self, data: bytes) -> None:
        with self._news:
            self.output += data
            self._chunks.append(Chunk(len(self.output), time.perf_counter()))
            self._is_over = self._is_over or not data
            self._news.notify_all()
        if not self._has_answered and _SYNC_QUERY in self.output:
            self._has_answered = True
            with contextlib.suppress(OSError):
                self.send(_SYNC_REPLY)
        if self.bytes_per_s is not None:
            self._free_at = max(self._free_at, time.perf_counter()) + len(data) / self.bytes_per_s
            time.sleep(max(0.0, self._free_at - time.perf_counter()))


def key_bytes(key: str) -> bytes:
    """What a terminal sends for a key."""
    if key in KEYS:
        return KEYS[key]
    if key.startswith("ctrl+"):
        return bytes([ord(key.removeprefix("ctrl+").upper()) & 0x1F])
    if key.startswith("alt+"):
        return b"\x1b" + key_bytes(key.removeprefix("alt+"))
    return key.encode()


def _take_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever started this may ignore it (nohup)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
