"""One question to a server, from its images to the end of its answer."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec

from glm4v_tui.chat import Role
from glm4v_tui.engine.protocol import (
    UNCOUNTED,
    Finished,
    FinishReason,
    Generate,
    Score,
    Scored,
    TextDelta,
    Timing,
    Usage,
)
from glm4v_tui.engine.remote import faults
from glm4v_tui.engine.remote.answer import Answer
from glm4v_tui.engine.remote.body import (
    TOP_LOGPROBS,
    Body,
    at_once_fields,
    body_of,
    messages_of,
    sampling_fields,
    schema_fields,
    stream_fields,
)
from glm4v_tui.engine.remote.faults import Fault
from glm4v_tui.engine.remote.form import mending, problem_of, result_in
from glm4v_tui.engine.remote.scoring import first_tokens, log_likelihoods
from glm4v_tui.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    from glm4v_tui.chat import Message
    from glm4v_tui.engine.protocol import Event
    from glm4v_tui.engine.remote.address import Address
    from glm4v_tui.engine.remote.client import Client
    from glm4v_tui.engine.remote.dialects import Dialect
    from glm4v_tui.engine.remote.gate import Ask, Cleared, Encoded, Gate
    from glm4v_tui.engine_settings import RemoteSettings

    Slot = Callable[[], AbstractAsyncContextManager[None]]
    """Waits until one question more may be at the server."""

_T = TypeVar("_T")

_ATTEMPTS = 4
_CHARACTERS = 64
"""Of a token at most, for the limit beyond which an answer is taken for endless."""
_SPARE = 1 << 16
_NEWER_LIMIT = "max_completion_tokens"


class _Clock:
    """When what came, from the first sending on."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self._began_at = self._now()
        self._has_begun = False
        self._first_at: float | None = None

    def begin(self) -> None:
        """Something is sent. What waited before does not count."""
        if not self._has_begun:
            self._began_at, self._has_begun = self._now(), True

    def note_text(self) -> None:
        if self._first_at is None:
            self._first_at = self._now()

    @property
    def has_text(self) -> bool:
        return self._first_at is not None

    @property
    def total_s(self) -> float:
        return self._now() - self._began_at

    def finished(self, request_id: str, reason: FinishReason, usage: Usage) -> Finished:
        now, first = self._now(), self._first_at
        written = usage.completion_tokens
        speed = None
        if first is not None and written > 1 and now > first:
            speed = (written - 1) / (now - first)
        first_s = None if first is None else first - self._began_at
        return Finished(request_id, reason, usage, Timing(first_s, speed, now - self._began_at))


@dataclass
class _Told:
    """An answer that has ended."""

    answer: Answer = field(default_factory=Answer)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def usage(self) -> Usage:
        return self.answer.usage

    @property
    def reason(self) -> FinishReason:
        return self.answer.reason


class Asking:
    """Puts a request together, sends it, and tells what comes.

    A body may have many megabytes: it is made in threads, as the screen must not wait for it.

    Args:
        tell: Takes events; not the last one of the request, which is returned.
        ask: Asks the user about images; None where nobody can be asked.
        slot: Held from the sending of a question to the end of its answer: so many at a time are at
            the server. What is put together before waits for none.
        backoff_s: Before the second attempt; doubles.
    """

    def __init__(
        self,
        client: Client,
        address: Address,
        settings: RemoteSettings,
        gate: Gate,
        tell: Callable[[Event], None],
        *,
        ask: Ask | None,
        slot: Slot,
        backoff_s: float,
    ) -> None:
        self._client = client
        self._address = address
        self._settings = settings
        self._gate = gate
        self._tell = tell
        self._ask = ask
        self._slot = slot
        self._backoff_s = backoff_s

    async def cleared(
        self, request: Generate | Score, shown: Mapping[str, tuple[str, Encoded | None]]
    ) -> dict[str, Cleared]:
        """The request's images by their keys, let out by the gate.

        Args:
            shown: By key the SHA-256 of the image's file, and what would be sent.

        Raises:
            GlmError: they may not leave, or were never given.
        """
        ready = [(source, encoded) for source, encoded in shown.values() if encoded is not None]
        if len(ready) < len(shown):
            raise ServerError("An image of this question was not given to the engine")
        passed = await self._gate.clear(ready, request.private_task, self._ask)
        return dict(zip(shown, passed, strict=True))

    # Answers --------------------------------------------------------------------------------

    async def generate(
        self, request: Generate, images: Mapping[str, Cleared], dialect: Dialect
    ) -> Finished:
        """Ask, and tell the text as it comes; a result that nobody binds is told when it is whole.

        Raises:
            Fault: whatever goes wrong; what was told until then stays.
        """
        clock = _Clock()
        form = request.form
        messages = await asyncio.to_thread(messages_of, request.messages, images)
        if form is None:
            answer = await self._stream(request, messages, {}, dialect, clock, tells=True)
            return clock.finished(request.request_id, answer.reason, answer.usage)
        binding = {} if dialect.binds is False else schema_fields(form.schema)
        tells = dialect.binds is True
        try:
            answer = await self._stream(request, messages, binding, dialect, clock, tells=tells)
        except Fault as fault:
            if not (binding and _is_about_form(fault)):
                raise
            tells = False
            answer = await self._stream(request, messages, {}, dialect, clock, tells=False)
        if tells:
            return clock.finished(request.request_id, answer.reason, answer.usage)
        return await self._checked(request, messages, answer, dialect, clock)

    async def _checked(
        self,
        request: Generate,
        messages: list[dict[str, Any]],
        answer: _Told,
        dialect: Dialect,
        clock: _Clock,
    ) -> Finished:
        """A result that was not bound: told when it is in its form, after one mending at most."""
        form = request.form
        assert form is not None
        text, usage, reason = result_in(answer.text), answer.usage, answer.reason
        problem = await asyncio.to_thread(problem_of, text, form)
        if problem is not None and reason is FinishReason.STOP:
            again = [
                *messages,
                {"role": Role.ASSISTANT.value, "content": answer.text},
                {"role": Role.USER.value, "content": mending(problem, form)},
            ]
            mended = await self._stream(request, again, {}, dialect, clock, tells=False)
            better = result_in(mended.text)
            usage = _sum(usage, mended.usage)
            if await asyncio.to_thread(problem_of, better, form) is None:
                text, reason = better, mended.reason
        tokens = usage.completion_tokens if usage.is_counted else 1
        self._tell(TextDelta(request.request_id, text, tokens))
        return clock.finished(request.request_id, reason, usage)

    async def _stream(
        self,
        request: Generate,
        messages: list[dict[str, Any]],
        more: dict[str, Any],
        dialect: Dialect,
        clock: _Clock,
        *,
        tells: bool,
    ) -> _Told:
        name = self._client.limit_name
        fields = {
            "model": self._settings.model,
            "messages": messages,
            **sampling_fields(request.sampling, dialect, name),
            **stream_fields(dialect),
            **(at_once_fields(dialect) if _is_without_thought(request) else {}),
            **more,
        }
        body = self._sized(await asyncio.to_thread(body_of, fields, _count(request.messages)))
        limit = request.sampling.max_new_tokens * _CHARACTERS + _SPARE

        async def attempt() -> _Told:
            told = _Told()
            pieces = self._client.complete(body, told.answer, limit)
            async with contextlib.aclosing(pieces):
                async for text in pieces:
                    clock.note_text()
                    told.pieces.append(text)
                    if tells:
                        self._tell(TextDelta(request.request_id, text))
            return told

        try:
            async with self._slot():
                clock.begin()
                return await self._patiently(attempt, clock)
        except Fault as fault:
            if name == _NEWER_LIMIT or not _is_about(fault, _NEWER_LIMIT):
                raise
        self._client.limit_name = _NEWER_LIMIT
        return await self._stream(request, messages, more, dialect, clock, tells=tells)

    # Probabilities ----------------------------------------------------------------------------

    async def score(
        self, request: Score, images: Mapping[str, Cleared], dialect: Dialect
    ) -> Scored:
        """How probable the answers are; unknown where the server does not tell.

        Raises:
            Fault: whatever goes wrong.
        """
        clock = _Clock()
        unknown = Scored(request.request_id, (), ())
        if dialect.has_logprobs is False:
            return unknown
        fields = {
            "model": self._settings.model,
            "messages": await asyncio.to_thread(messages_of, request.messages, images),
            self._client.limit_name: 1,
            "temperature": 0.0,
            "logprobs": True,
            "top_logprobs": TOP_LOGPROBS,
            # as on this machine: how probable they are when the model answers at once
            **at_once_fields(dialect),
        }
        body = self._sized(await asyncio.to_thread(body_of, fields, _count(request.messages)))
        try:
            async with self._slot():
                clock.begin()
                chunk = await self._patiently(lambda: self._client.once(body), clock)
        except Fault as fault:
            if _is_about(fault, "logprob"):
                return unknown
            raise
        found = log_likelihoods(request.answers, first_tokens(chunk))
        if found is None:
            return msgspec.structs.replace(unknown, total_s=clock.total_s)
        return Scored(request.request_id, found, (1,) * len(found), clock.total_s)

    # Inside -------------------------------------------------------------------------------------

    def _sized(self, body: Body) -> Body:
        """Raises Fault: it is larger than the server takes."""
        size, limit_mb = len(body.content), self._settings.max_request_mb
        if size > limit_mb * 1e6:
            raise faults.too_large(self._address, size, limit_mb, body.images)
        return body

    async def _patiently(self, attempt: Callable[[], Awaitable[_T]], clock: _Clock) -> _T:
        """Try again what may pass, as long as nothing of an answer has come: what is asked twice
        is never told twice."""
        wait_s = self._backoff_s
        for left in reversed(range(_ATTEMPTS)):
            try:
                return await attempt()
            except Fault as fault:
                rest_s = wait_s if fault.after_s is None else fault.after_s
                is_patient = rest_s <= self._settings.timeout
                if not (fault.is_passing and left and is_patient) or clock.has_text:
                    raise
                await asyncio.sleep(rest_s)
                wait_s *= 2
        raise AssertionError("the last attempt returns or raises")


def _count(messages: Sequence[Message]) -> int:
    return sum(len(message.attachments) for message in messages)


def _is_without_thought(request: Generate) -> bool:
    """A result for which no reasoning is allowed: there would be no room for both."""
    return request.form is not None and not request.form.reasoning_tokens


def _sum(one: Usage, other: Usage) -> Usage:
    if not (one.is_counted and other.is_counted):
        return UNCOUNTED
    return Usage(
        one.prompt_tokens + other.prompt_tokens,
        None,
        one.completion_tokens + other.completion_tokens,
    )


def _is_about_form(fault: Fault) -> bool:
    """The server takes the question but for the form that its answer is to have."""
    return any(_is_about(fault, word) for word in ("response_format", "schema", "grammar"))


def _is_about(fault: Fault, word: str) -> bool:
    return fault.is_refusal and word in fault.error.body.lower()
