"""Connections that each serve one request at a time, and stay open for the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Lanes(httpx.AsyncBaseTransport):
    """As many connections as requests are under way, found in the same time however many they are.

    One pool for all of them asks the system about each open connection before every request, and
    after it: with 32 of them that was a fifth of what this program did while it asked about images.

    Args:
        make: Makes what holds one connection.
    """

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._make = make
        self._idle: list[httpx.AsyncBaseTransport] = []
        self._all: list[httpx.AsyncBaseTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        lane = self._idle.pop() if self._idle else self._made()
        try:
            response = await lane.handle_async_request(request)
        except BaseException:
            self._idle.append(lane)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Body(response.stream, lambda: self._idle.append(lane))
        return response

    async def aclose(self) -> None:
        for lane in self._all:
            await lane.aclose()

    def _made(self) -> httpx.AsyncBaseTransport:
        lane = self._make()
        self._all.append(lane)
        return lane


class _Body(httpx.AsyncByteStream):
    """A response's body; its end frees the lane, once."""

    def __init__(self, stream: httpx.AsyncByteStream, free: Callable[[], None]) -> None:
        self._stream = stream
        self._free: Callable[[], None] | None = free

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            free, self._free = self._free, None
            if free is not None:
                free()
