"""Taking turns: so many at a time, the rest in the order in which they came."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Turns:
    """Lets so many in at a time, a number that may change. For one event loop."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._soon: deque[asyncio.Future[None]] = deque()
        """Who waits before those."""

    @property
    def at_once(self) -> int:
        return self._at_once

    @at_once.setter
    def at_once(self, value: int) -> None:
        self._at_once = value
        self._let_in()

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._soon) + len(self._waiting)

    @contextlib.asynccontextmanager
    async def one(self, *, is_first: bool = False, is_soon: bool = False) -> AsyncIterator[None]:
        """A turn.

        Args:
            is_first: It is not waited for, however many there are.
            is_soon: It comes before those that are not.
        """
        if is_first:
            self._inside += 1
        else:
            await self._wait(self._soon if is_soon else self._waiting)
        try:
            yield
        finally:
            self._inside -= 1
            self._let_in()

    async def _wait(self, line: deque[asyncio.Future[None]]) -> None:
        mine = asyncio.get_running_loop().create_future()
        line.append(mine)
        self._let_in()
        try:
            await mine
        except asyncio.CancelledError:
            if mine in line:
                line.remove(mine)
            elif not mine.cancelled():  # it was let in at the same moment
                self._inside -= 1
                self._let_in()
            raise

    def _let_in(self) -> None:
        while self._inside < self._at_once and (line := self._soon or self._waiting):
            first = line.popleft()
            if not first.cancelled():
                self._inside += 1
                first.set_result(None)
