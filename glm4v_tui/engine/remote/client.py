"""The connection to one server: requests sent, redirects refused, silence ended, events read."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from glm4v_tui import __version__
from glm4v_tui.engine.remote import faults
from glm4v_tui.engine.remote.answer import Answer, NotAChunkError, ServerToldError
from glm4v_tui.engine.remote.events import EventReader, TooLongError
from glm4v_tui.engine.remote.lanes import Lanes
from glm4v_tui.errors import SettingsError
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from glm4v_tui.engine.remote.address import Address
    from glm4v_tui.engine.remote.body import Body
    from glm4v_tui.engine_settings import RemoteSettings

_CONNECT_S = 10.0
_LOOK_S = 20.0
"""For what a server tells of itself."""
_USAGE_S, _END_S = 2.0, 0.1
"""That the count of tokens may take after the end of an answer, and the end of the stream after
the server's last word; a stream that is read to its end leaves its connection to the next."""
_MOST_BYTES = 8 << 20
"""Of an answer that is not streamed."""
_ERROR_BYTES = 64 << 10
_REDIRECTS = 3
_SECRET = 8
"""Characters of a key that is one."""
_BROKEN = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError)


class Client:
    """Talks to one server.

    Args:
        key: What it wants to be shown; empty for none.

    Raises:
        SettingsError: the certificates that the settings name cannot be read.
    """

    def __init__(self, settings: RemoteSettings, address: Address, key: str) -> None:
        self._settings = settings
        self._address = address
        self.limit_name = "max_tokens"
        """What the server calls the longest answer: newer hosted models have another word."""
        # identity: a small answer that unpacks to a huge one does not
        self._key = key.encode("ascii")
        headers = {"user-agent": f"glm4v-tui/{__version__}", "accept-encoding": "identity"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        trusted = _certificates(settings.tls) if address.is_encrypted else False
        one = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        self._http = httpx.AsyncClient(
            headers=headers,
            transport=Lanes(
                lambda: httpx.AsyncHTTPTransport(
                    verify=trusted, trust_env=False, proxy=address.proxy, limits=one
                )
            ),
            trust_env=False,  # neither its proxies, which `Address` has read, nor a .netrc
            follow_redirects=False,
            timeout=httpx.Timeout(
                settings.timeout, connect=min(_CONNECT_S, settings.timeout), pool=None
            ),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def look(self, path: str, *, at_root: bool = False) -> httpx.Response:
        """What the server tells of itself, whatever its status.

        Raises:
            Fault: nothing came.
        """
        base = self._address.root if at_root else self._address.base
        return await self._short("GET", base + path, None)

    async def show(self, path: str, content: Mapping[str, Any]) -> httpx.Response:
        """The same where the question has a body; never one with an image."""
        body = msgspec.json.encode(content)
        return await self._short("POST", self._address.root + path, body)

    async def complete(self, body: Body, answer: Answer, limit: int) -> AsyncGenerator[str, None]:
        """Ask, and give the text of the answer as it comes.

        Args:
            answer: Takes in how it ends.
            limit: Characters after which it is ended.

        Raises:
            Fault: whatever goes wrong.
        """
        url = f"{self._address.base}/chat/completions"
        async with self._posted(url, body) as response:
            kind = response.headers.get("content-type", "")
            pieces = (
                self._whole(response, answer)
                if "application/json" in kind
                else self._streamed(response, answer)
            )
            async with contextlib.aclosing(pieces):
                async for text in pieces:
                    yield text
                    if answer.characters > limit:
                        raise faults.flood(self._address, answer.characters)
        if answer.failure is not None:
            raise faults.cut(self._address, answer.failure)

    async def once(self, body: Body) -> object:
        """Ask for an answer that is not streamed; decoded.

        Raises:
            Fault: whatever goes wrong.
        """
        answer = Answer()
        async with self._posted(f"{self._address.base}/chat/completions", body) as response:
            content = await self._content(response, answer)
        self._taken(answer, content)
        return msgspec.json.decode(content)

    # Inside -------------------------------------------------------------------------------------

    async def _short(self, method: str, url: str, content: bytes | None) -> httpx.Response:
        for _ in range(_REDIRECTS + 1):
            response = await self._answered(method, url, content)
            if not response.is_redirect:
                return response
            if not self._may_follow(response):
                break
            url = str(response.url.join(response.headers["location"]))
        to = response.headers.get("location", "")
        raise faults.redirected(self._address, to, has_images=False)

    async def _answered(self, method: str, url: str, content: bytes | None) -> httpx.Response:
        seconds = min(_LOOK_S, self._settings.timeout)
        try:
            async with asyncio.timeout(seconds):
                return await self._http.request(
                    method, url, content=content, headers=_headers(content)
                )
        except TimeoutError as error:
            raise faults.slow(self._address, seconds, has_begun=False) from error
        except httpx.HTTPError as error:
            raise self._fault(error) from error

    @contextlib.asynccontextmanager
    async def _posted(self, url: str, body: Body) -> AsyncIterator[httpx.Response]:
        """The server's answer to a question, which is a success when it comes out of here."""
        for _ in range(_REDIRECTS + 1):
            request = self._http.build_request(
                "POST", url, content=body.content, headers=_headers(body.content)
            )
            response = await self._sent(request)
            try:
                if not response.is_redirect:
                    await self._require_success(response)
                    yield response
                    return
                if not self._may_follow(response):
                    to = response.headers.get("location", "")
                    raise faults.redirected(self._address, to, has_images=body.images > 0)
                url = str(response.url.join(response.headers["location"]))
            finally:
                await response.aclose()
        raise faults.redirected(self._address, url, has_images=body.images > 0)

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        seconds = self._settings.timeout
        try:
            async with asyncio.timeout(seconds):
                return await self._http.send(request, stream=True)
        except TimeoutError as error:
            raise faults.slow(self._address, seconds, has_begun=False) from error
        except httpx.HTTPError as error:
            raise self._fault(error) from error

    def _may_follow(self, response: httpx.Response) -> bool:
        """To the same server, by the same method: all else would take the question elsewhere."""
        try:
            to = str(response.url.join(response.headers["location"]))
        except (KeyError, httpx.InvalidURL):
            return False
        return response.status_code in (307, 308) and self._address.is_same_server(to)

    async def _require_success(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        content = bytearray()
        with contextlib.suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(min(_LOOK_S, self._settings.timeout)):
                async for piece in response.aiter_bytes():
                    content += piece
                    if len(content) > _ERROR_BYTES:
                        break
        raise faults.refused(
            self._address,
            response.status_code,
            self.without_key(bytes(content[:_ERROR_BYTES])),
            response.headers,
            self._settings.model,
        )

    async def _streamed(
        self, response: httpx.Response, answer: Answer
    ) -> AsyncGenerator[str, None]:
        reader, pieces, has_event = EventReader(), response.aiter_bytes(), False
        heard_at = asyncio.get_running_loop().time()
        while (received := await self._next(pieces, answer, heard_at)) is not None:
            if answer.is_done:
                break
            try:
                found = reader.feed(received)
            except TooLongError as error:
                raise faults.malformed(self._address, "An event does not end.") from error
            if found:
                heard_at, has_event = asyncio.get_running_loop().time(), True
            for data in found:
                if text := self._taken(answer, data):
                    yield text
        if not answer.is_over:
            if not has_event and not answer.characters:
                kind = response.headers.get("content-type", "")
                raise faults.malformed(self._address, f"No event came, but {kind or 'nothing'}.")
            raise faults.cut(self._address)

    async def _next(
        self, pieces: AsyncIterator[bytes], answer: Answer, heard_at: float
    ) -> bytes | None:
        """The next bytes; None at the end. Comments that keep a connection open are no word from
        the server: the time runs from the last event."""
        left = heard_at + self._settings.timeout - asyncio.get_running_loop().time()
        if answer.is_over:
            left = _END_S if answer.is_done else _USAGE_S
        try:
            async with asyncio.timeout(max(0.0, left)):
                return await anext(pieces, None)
        except TimeoutError as error:
            if answer.is_over:
                return None
            begun = answer.characters > 0
            raise faults.slow(self._address, self._settings.timeout, has_begun=begun) from error
        except httpx.HTTPError as error:
            if answer.is_over:  # all is there but, perhaps, the count of tokens
                return None
            if isinstance(error, httpx.TimeoutException):
                begun = answer.characters > 0
                raise faults.slow(self._address, self._settings.timeout, has_begun=begun) from error
            raise faults.cut(self._address) from error

    async def _whole(self, response: httpx.Response, answer: Answer) -> AsyncGenerator[str, None]:
        """An answer that was not streamed though it was to be."""
        if text := self._taken(answer, await self._content(response, answer)):
            yield text
        if not answer.is_over:
            raise faults.malformed(self._address, "It does not say how the answer ended.")

    async def _content(self, response: httpx.Response, answer: Answer) -> bytes:
        content, pieces = bytearray(), response.aiter_bytes()
        heard_at = asyncio.get_running_loop().time()
        while (received := await self._next(pieces, answer, heard_at)) is not None:
            content += received
            if len(content) > _MOST_BYTES:
                raise faults.malformed(self._address, "Its answer does not end.")
        return bytes(content)

    def _taken(self, answer: Answer, data: bytes) -> str:
        try:
            return answer.take(data)
        except NotAChunkError as error:
            raise faults.malformed(self._address, str(error)) from error
        except ServerToldError:
            told = msgspec.json.decode(self.without_key(data))
            raise faults.told(self._address, told) from None

    def without_key(self, data: bytes) -> bytes:
        """What a server says of an error, where it repeats the key that it was shown: that would
        be on the screen and in the store. Short keys are words that stand for none."""
        return data.replace(self._key, b"***") if len(self._key) >= _SECRET else data

    def _fault(self, error: httpx.HTTPError) -> faults.Fault:
        if isinstance(error, _BROKEN):
            return faults.dropped(self._address, error)
        if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError | httpx.ProxyError):
            return faults.unreachable(self._address, error)
        if isinstance(error, httpx.TimeoutException):
            return faults.slow(self._address, self._settings.timeout, has_begun=False)
        return faults.dropped(self._address, error)


def _headers(content: bytes | None) -> dict[str, str]:
    return {} if content is None else {"content-type": "application/json"}


def _certificates(tls: str) -> ssl.SSLContext:
    """Whom to trust: see ``RemoteSettings.tls``."""
    if tls == "verify":
        return ssl.create_default_context()
    if tls == "off":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    path = Path(tls).expanduser()
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=str(path))
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            "The certificates in tls = cannot be read",
            f"{plain_line(str(path))}: {error}",
            "Name a PEM file or a folder of them, or write verify or off.",
        ) from error
