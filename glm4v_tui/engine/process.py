"""One worker process: started, written to, read from, watched, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from glm4v_tui.engine import wire
from glm4v_tui.engine.protocol import DropImage, PutImage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from glm4v_tui.engine.protocol import Command, Event

WORKER_MODULE = "glm4v_tui.engine.worker"
_CHUNK_BYTES = 1 << 16
_LAST_WORDS_BYTES = 1 << 13
"""A traceback or two: what is further up is of something that it has survived."""
_LEAVE_S = 2.0
"""What a worker gets to leave by itself before it is killed."""


class WorkerProcess:
    """The model's process and the socket to it.

    The worker gets a session of its own, so that Ctrl+C and a closing terminal reach it only
    through this side: when the socket closes it ends itself.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, sock: socket.socket, log: _Log | None = None
    ) -> None:
        self._process = process
        self._sock = sock
        self._log = log
        self._reader = wire.event_reader()
        self._outgoing: asyncio.Queue[Command] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())
        self.image_keys: set[str] = set()
        """Images whose pixels this process holds."""
        self.heard_at = asyncio.get_running_loop().time()
        self.ending_expected = False

    @classmethod
    async def spawn(cls, log_file: Path | None) -> WorkerProcess:
        """Start a worker whose output goes to ``log_file`` (to nowhere when that cannot be)."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with _open_log(log_file) as log, theirs:
            begun = _Log(log_file, os.fstat(log).st_size) if log_file and log >= 0 else None
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", WORKER_MODULE, str(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return cls(process, ours, begun)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, command: Command) -> None:
        """Put a command on its way; commands arrive in order."""
        if isinstance(command, PutImage):
            self.image_keys.add(command.key)
        elif isinstance(command, DropImage):
            self.image_keys.discard(command.key)
        self._outgoing.put_nowait(command)

    async def receive(self) -> list[Event]:
        """Wait for events. An empty list means that the worker has closed its end.

        Raises:
            wire.BrokenStreamError: what came is not of this protocol, or stopped midway.
        """
        loop = asyncio.get_running_loop()
        events: list[Event] = []
        while not events:
            try:
                data = await loop.sock_recv(self._sock, _CHUNK_BYTES)
            except ConnectionError:
                data = b""
            self.heard_at = loop.time()
            if not data:
                if self._reader.is_torn:
                    raise wire.BrokenStreamError("it stopped in the middle of a message")
                return []
            events = self._reader.feed(data)
        return events

    def last_words(self) -> str:
        """The end of what it wrote to its log; empty when there is none. Blocks."""
        return self._log.end() if self._log is not None else ""

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> str:
        """Wait for the end; say how it came."""
        try:
            code = await asyncio.wait_for(self._process.wait(), _LEAVE_S)
        except TimeoutError:
            self.kill()
            code = await self._process.wait()
        self._writer.cancel()
        self._sock.close()
        return _describe_exit(code)

    async def end(self) -> None:
        """Ask the worker to leave by closing the connection; kill it when it does not."""
        self.ending_expected = True
        self._writer.cancel()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        await self.wait()

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                command = await self._outgoing.get()
                # Pixels take milliseconds to pack; the screen must not wait for them.
                big = isinstance(command, PutImage)
                frame = await asyncio.to_thread(wire.pack, command) if big else wire.pack(command)
                await loop.sock_sendall(self._sock, frame)
        except OSError:
            pass  # a dead worker is noticed where its events are read
        except (TypeError, ValueError, OverflowError):
            self.kill()  # nothing more can be said to it; its end tells everybody who waits
            raise


class _Log(NamedTuple):
    """The log that one worker after the other writes to, and where this one began."""

    file: Path
    start: int

    def end(self) -> str:
        try:
            with self.file.open("rb") as stream:
                size = stream.seek(0, os.SEEK_END)
                stream.seek(max(self.start, size - _LAST_WORDS_BYTES))
                return stream.read().decode("utf-8", "replace")
        except OSError:
            return ""


@contextlib.contextmanager
def _open_log(log_file: Path | None) -> Iterator[int]:
    """A file descriptor for the worker's output: never a reason not to start."""
    descriptor = -1
    if log_file is not None:
        with contextlib.suppress(OSError):
            log_file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if descriptor < 0:
        yield subprocess.DEVNULL
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"it ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    return f"it was ended by signal {-code} ({name})"
