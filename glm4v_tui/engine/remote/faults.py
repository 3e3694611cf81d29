"""Whatever goes wrong at a server, in words with a remedy.

``Fault`` is raised inside this package; its ``error`` is what a user gets to see.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.errors import EngineError, GlmError, ImageError, ServerError, WithheldError
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glm4v_tui.engine.remote.address import Address

_SAID = 300
"""Characters of a server's own words that are shown."""
_READS_NO_IMAGES = "image input is not supported"
"""How llama.cpp says so, as a failure of its own (500): asking again does not help."""


class Fault(Exception):  # noqa: N818 - what it carries is the error
    """Something failed at the server.

    Args:
        is_passing: It may be gone in a moment: worth another attempt if nothing was answered yet.
        is_down: The server cannot be reached at all.
        after_s: Seconds that the server wants to be left alone; None where it did not say.
        is_refusal: It does not take the question as it is: something in it is too much.
    """

    def __init__(
        self,
        error: GlmError,
        *,
        is_passing: bool = False,
        is_down: bool = False,
        after_s: float | None = None,
        is_refusal: bool = False,
    ) -> None:
        super().__init__(error.title)
        self.error = error
        self.is_passing = is_passing
        self.is_down = is_down
        self.after_s = after_s
        self.is_refusal = is_refusal


def unreachable(address: Address, why: BaseException) -> Fault:
    """No connection: nobody listens, the name is unknown, TLS does not come about."""
    certificate = _certificate_problem(why)
    if certificate is not None:
        error = ServerError(
            f"The certificate of {address.shown} is not trusted",
            f"{certificate}. Nothing was sent.",
            "Give the path of its authority's certificate as tls = in its [engines] table. "
            "A server that you do not know may be another one in its place.",
        )
        return Fault(error)
    if _is_tls(why):
        error = ServerError(
            f"No encrypted connection to {address.shown} came about",
            plain_line(str(why))[:_SAID],
            "Check whether the server speaks https on this port; else write http:// in its url.",
        )
        return Fault(error)
    through = f" through the proxy {address.proxy_host}" if address.proxy else ""
    error = ServerError(
        f"The server {address.shown} cannot be reached{through}",
        plain_line(str(why))[:_SAID] or type(why).__name__,
        "Start it, or check its url and the network; the question is kept."
        + (' proxy = "off" goes without the proxy.' if address.proxy else ""),
    )
    return Fault(error, is_passing=True, is_down=True)


def slow(address: Address, seconds: float, *, has_begun: bool) -> Fault:
    """Nothing came for too long."""
    kept = "What it wrote until then is kept. " if has_begun else ""
    return Fault(
        ServerError(
            f"The server {address.shown} said nothing for {seconds:g} s",
            f"{kept}It may be busy, or loading the model.",
            "Ask again, or give it longer with timeout = in its [engines] table.",
        )
    )


def cut(address: Address, why: str = "") -> Fault:
    """The stream ended before the answer did."""
    return Fault(
        ServerError(
            f"The answer of {address.shown} was cut off",
            f"What came until then is kept, and is not whole. {plain_line(why)[:_SAID]}".rstrip(),
            "Ask again.",
        )
    )


def dropped(address: Address, why: BaseException) -> Fault:
    """The connection ended before anything was answered."""
    return Fault(
        ServerError(
            f"The server {address.shown} ended the connection without an answer",
            plain_line(str(why))[:_SAID] or type(why).__name__,
            "Ask again; the server's log may say why.",
        ),
        is_passing=True,
    )


def malformed(address: Address, what: str) -> Fault:
    """What came is not of this interface."""
    return Fault(
        ServerError(
            f"What {address.shown} answered is not understood",
            f"What came until then is kept. {plain_line(what)[:_SAID]}",
            "Check that its url leads to an OpenAI-compatible server, mostly ending in /v1.",
        )
    )


def flood(address: Address, characters: int) -> Fault:
    """It writes on and on."""
    return Fault(
        ServerError(
            f"The server {address.shown} does not stop writing",
            f"It was ended after {characters:,} characters, far beyond the longest answer that "
            "was asked for.",
            "Ask again; the server does not keep to max_tokens.",
        )
    )


def told(address: Address, message: object) -> Fault:
    """It told of an error in the midst of its answer."""
    return Fault(
        ServerError(
            f"The server {address.shown} failed while it answered",
            said(message) or "It did not say why.",
            "Ask again; the server's log may say more.",
        )
    )


def redirected(address: Address, to: str, *, has_images: bool) -> Fault:
    """It sends us elsewhere."""
    there = plain_line(to)[:_SAID]
    images = " Its images stay here." if has_images else ""
    return Fault(
        WithheldError(
            f"The server {address.shown} sends the question to another place",
            f"To {there}. The question was not sent there.{images}",
            "If that is right, write that place as url = in its [engines] table.",
        )
    )


def too_large(address: Address, size: int, limit_mb: float, count: int) -> Fault:
    """Known before anything is sent."""
    images = "its image is" if count == 1 else f"its {count} images are"
    return Fault(
        ImageError(
            f"The question is too large for {address.shown}",
            f"It has {size / 1e6:.1f} MB with all that belongs to it, {limit_mb:g} MB are allowed"
            f"{'; ' + images + ' most of it' if count else ''}. Nothing was sent.",
            "Ask about fewer images or a crop, or set image_format, image_side or max_request_mb "
            "in its [engines] table.",
        )
    )


def refused(
    address: Address, status: int, body: bytes, headers: Mapping[str, str], model: str
) -> Fault:
    """An HTTP status that is no success."""
    words = said(_decoded(body))
    name = address.shown
    match status:
        case 401 | 403:
            return Fault(
                ServerError(
                    f"The server {name} does not accept the key ({status})",
                    words,
                    "Check the key: its [engines] table names the environment variable that has "
                    "it, as api_key_env, or the keyring's entry, as api_key_keyring.",
                )
            )
        case 407:
            return Fault(
                ServerError(
                    f"The proxy {address.proxy_host or ''} wants a password",
                    words,
                    "Give it in HTTPS_PROXY, or go without the proxy: proxy = in its [engines].",
                )
            )
        case 404:
            return Fault(
                ServerError(
                    f"The server {name} does not know {plain_line(model)}",
                    words or "It answered 404.",
                    "glm4v-tui engines lists the models that it has; check its url as well.",
                )
            )
        case 413:
            return Fault(
                ImageError(
                    f"The question is too large for {name}",
                    words or "It answered 413.",
                    "Ask about fewer images or a crop, or set image_side lower in its [engines].",
                )
            )
        case 429:
            after_s = _retry_after(headers)
            wait = f" It wants {after_s:g} s of rest." if after_s is not None else ""
            return Fault(
                ServerError(
                    f"The server {name} has too much to do (429)",
                    f"{words.rstrip('.')}.{wait}".lstrip(". "),
                    "Ask again later, or set max_in_flight lower in its [engines] table.",
                ),
                is_passing=True,
                after_s=after_s,
            )
        case 400 | 422:
            return _not_taken(name, status, words)
        case 500 if _READS_NO_IMAGES in words:
            return _not_taken(name, status, words)
    is_passing = status >= 500
    return Fault(
        ServerError(
            f"The server {name} failed ({status})" if is_passing else f"{name} answered {status}",
            words or "It did not say why.",
            "Ask again; the server's log may say more.",
        ),
        is_passing=is_passing,
        after_s=_retry_after(headers) if status == 503 else None,
    )


def _not_taken(name: str, status: int, words: str) -> Fault:
    """No ServerError: another server would not take it either."""
    return Fault(
        EngineError(
            f"The server {name} does not take the question ({status})",
            words,
            "Check that its model reads images, and that the question fits its context.",
        ),
        is_refusal=True,
    )


def said(message: object) -> str:
    """A server's own words about an error, in whichever of the usual shapes; safe to show."""
    match message:
        case str():
            return plain_line(message).strip()[:_SAID]
        case {"error": inner} if inner:
            return said(inner)
        case {"message": inner} | {"detail": inner}:
            return said(inner)
        case [first, *_]:
            return said(first)
        case {"msg": str() as inner}:  # how FastAPI tells of a field
            return said(inner)
    return ""


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        text = body.decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else text  # a proxy's page says nothing to us


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; a date is not worth a clock that may be wrong."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _certificate_problem(why: BaseException) -> str | None:
    for error in _chain(why):
        if isinstance(error, ssl.SSLCertVerificationError):
            return plain_line(error.verify_message or str(error))[:_SAID].rstrip(".")
    return None


def _is_tls(why: BaseException) -> bool:
    return any(isinstance(error, ssl.SSLError) for error in _chain(why))
