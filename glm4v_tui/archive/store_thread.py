"""The thread in which all of the chats' reading and writing is done, one thing after the other.

Neither the database nor SQLite itself is imported before the first thing is to be done.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from glm4v_tui.store.chats import Chats

Value = TypeVar("Value")

_CLOSE_WITHIN_S = 5.0
"""A disk that hangs must not keep the program from ending."""


class StoreThread:
    """Args:
    path: The database file; None for the user's.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._chats: Chats | None = None
        self._close: Callable[[], None] = lambda: None

    async def do(self, work: Callable[[Chats], Value]) -> Value:
        """Run ``work`` in the thread, after all that was given to it before.

        Raises:
            StoreError: the database cannot be read or written; the next call tries it again.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Value] = loop.create_future()

        def settle(value: Value | None, error: Exception | None) -> None:
            if done.cancelled():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(value)  # type: ignore[arg-type]

        def run() -> None:
            value, failure = None, None
            try:
                value = work(self._opened())
            except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: the program has ended
                loop.call_soon_threadsafe(settle, value, failure)

        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="store", daemon=True)
            self._thread.start()
        self._jobs.put(run)
        return await done

    async def close(self) -> None:
        """End when all is done, or after some seconds."""
        if self._thread is not None:
            self._thread = None
            loop = asyncio.get_running_loop()
            ended = asyncio.Event()
            self._jobs.put(lambda: self._end(loop, ended))
            self._jobs.put(None)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), _CLOSE_WITHIN_S)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _end(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
        self._close()
        self._chats, self._close = None, lambda: None
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(ended.set)

    def _opened(self) -> Chats:
        if self._chats is None:
            from glm4v_tui.store.chats import Chats
            from glm4v_tui.store.database import Database

            database = Database(self._path)
            self._close, self._chats = database.close, Chats(database)
        return self._chats
