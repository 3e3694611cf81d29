"""A server on loopback that speaks chat completions: it plays what a test tells it to.

Written on bare streams, so that a test can break whatever it wants to: cut a body in a word, stall,
end a connection, answer what is no HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field


@dataclass
class Arrived:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Reply:
    """Writes one response; the base answers 200 with JSON."""

    def __init__(self, value=None, status=200, headers=None, text=None, kind="application/json"):
        self.status, self.headers, self.kind = status, headers or {}, kind
        self.content = text.encode() if text is not None else json.dumps(value).encode()

    async def write(self, writer):
        head = [f"HTTP/1.1 {self.status} X", f"content-type: {self.kind}"]
        head += [f"{name}: {value}" for name, value in self.headers.items()]
        head += [f"content-length: {len(self.content)}", "", ""]
        writer.write("\r\n".join(head).encode() + self.content)
        await writer.drain()


class Stream(Reply):
    """Plays a recorded event stream, piece by piece, as it is or cut.

    Args:
        pieces: Bytes, or seconds to wait.
        ends: The end of the stream comes as it should; else the connection just ends.
    """

    def __init__(self, *pieces, ends=True):
        self.pieces, self.ends = pieces, ends

    async def write(self, writer):
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for piece in self.pieces:
            if isinstance(piece, bytes):
                writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                await writer.drain()
            else:
                await asyncio.sleep(piece)
        if not self.ends:
            raise ConnectionAbortedError
        writer.write(b"0\r\n\r\n")
        await writer.drain()


class Drop(Reply):
    """Ends the connection without a word."""

    def __init__(self):
        pass

    async def write(self, writer):
        raise ConnectionAbortedError


class Stall(Drop):
    """Says nothing, and keeps the connection."""

    async def write(self, writer):
        await asyncio.sleep(3600)


def chunk(text=None, finish=None, **more):
    """An event with a piece of an answer, in the plainest shape."""
    delta = {} if text is None else {"content": text}
    value = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}
    return f"data: {json.dumps(value)}\n\n".encode()


DONE = b"data: [DONE]\n\n"


def answer(text="A cat.", usage=(7, 3)):
    """A whole answer of one word an event, with what it took."""
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1].rstrip()
    counted = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return Stream(
        *map(chunk, words),
        chunk(finish="stop"),
        f"data: {json.dumps({'choices': [], 'usage': counted})}\n\n".encode(),
        DONE,
    )


def models(*names, **more):
    entries = [{"id": name, "object": "model", **more} for name in names]
    return Reply({"object": "list", "data": entries})


@dataclass
class ChatServer:
    """Answers by path; a reply may be a function of the request. Keeps all that came."""

    replies: dict = field(default_factory=dict)
    arrived: list[Arrived] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the other side has closed a connection while something was being written."""
    most_open: int = 0
    connections: int = 0
    """That were made to it so far."""
    _open: int = 0
    _server: asyncio.Server | None = None
    _tasks: set = field(default_factory=set)
    port: int = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def questions(self):
        return [one for one in self.arrived if one.path.endswith("/chat/completions")]

    async def start(self, host="127.0.0.1", tls=None, port=0):
        self._server = await asyncio.start_server(self._serve, host, port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self):
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self.connections += 1
        try:
            while (request := await read_request(reader)) is not None:
                self.arrived.append(request)
                self._open += 1
                self.most_open = max(self.most_open, self._open)
                try:
                    await self._answer(request, reader, writer)
                finally:
                    self._open -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(Exception):
                writer.transport.abort()

    async def _answer(self, request, reader, writer):
        reply = self.replies.get(request.path, Reply({"detail": "Not Found"}, 404))
        reply = reply(request) if callable(reply) else reply
        writing = asyncio.ensure_future(reply.write(writer))
        leaving = asyncio.ensure_future(_left(reader, writing))
        try:
            await writing
        except asyncio.CancelledError:
            self.left.set()
            raise ConnectionResetError from None
        finally:
            leaving.cancel()
            writing.cancel()


async def _left(reader, writing):
    """End what is being written when the other side closes."""
    while not reader.at_eof():
        await asyncio.sleep(0.005)
    writing.cancel()


async def read_request(reader):
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Arrived(method, path, headers, body)
