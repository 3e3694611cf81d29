"""Several engines that serve the same model, as one: each request goes to the one with most room,
and waits here while none has any: a slow one does not keep what a fast one could have.

A request that fails at one of them, before anything of its answer was told, is asked of another:
who waits for it hears one end. An engine that is down gets no requests until it is back; only when
all are down is that told.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.engine.engine import Engine
from glm4v_tui.engine.protocol import (
    UNCOUNTED,
    Event,
    Failed,
    FailureKind,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    Loading,
    Scored,
    SendingWanted,
    TextDelta,
    failure_of,
)
from glm4v_tui.errors import GlmError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from glm4v_tui.engine.protocol import LoadModel, RgbImage, Score


@dataclass
class _Member:
    """One of the engines."""

    engine: Engine
    room: int
    """Requests that it takes at a time."""
    is_up: bool = False
    has_answered: bool = False
    """It has said whether it can be asked, since the last load."""
    running: set[str] = field(default_factory=set)

    @property
    def share(self) -> float:
        """How full it is."""
        return len(self.running) / self.room

    @property
    def is_full(self) -> bool:
        """It has what it takes, and a few more that are made ready meanwhile."""
        return len(self.running) >= self.room + max(1, self.room // 4)


@dataclass
class _Request:
    """One that has not ended."""

    request: Generate | Score
    images: dict[str, RgbImage]
    at: _Member | None = None
    """None while it waits."""
    tried: list[_Member] = field(default_factory=list)
    has_text: bool = False
    is_aborted: bool = False


class SpreadEngine(Engine):
    """Args: members: The engines, each with the requests that it takes at a time."""

    def __init__(self, members: Mapping[Engine, int]) -> None:
        self._members = [_Member(engine, room) for engine, room in members.items()]
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._pumps: list[asyncio.Task[None]] = []
        self._images: dict[str, RgbImage] = {}
        self._requests: dict[str, _Request] = {}
        self._waiting: deque[_Request] = deque()
        self._sending: set[asyncio.Task[None]] = set()
        self._is_loading = self._is_told_up = False

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            yield event

    async def load(self, command: LoadModel) -> None:
        if not self._pumps:
            self._pumps = [asyncio.create_task(self._pump(one)) for one in self._members]
        self._is_loading, self._is_told_up = True, False
        self._end_waiting("Another model was chosen")
        for member in self._members:
            member.is_up = member.has_answered = False
            await member.engine.load(command)

    def has_image(self, key: str) -> bool:
        return key in self._images

    async def put_image(self, key: str, image: RgbImage) -> None:
        """Each engine gets it with the first request that shows it there."""
        self._images[key] = image

    async def drop_image(self, key: str) -> None:
        self._images.pop(key, None)
        for member in self._members:
            await member.engine.drop_image(key)

    async def measure(self, sizes: tuple[tuple[int, int], ...]) -> None:
        await self._members[0].engine.measure(sizes)

    async def generate(self, request: Generate) -> None:
        self._begin(request)

    async def score(self, request: Score) -> None:
        self._begin(request)

    async def abort(self, request_id: str) -> None:
        if (known := self._requests.get(request_id)) is None:
            return
        known.is_aborted = True
        if known.at is not None:
            await known.at.engine.abort(request_id)
        else:
            self._waiting.remove(known)
            self._tell_end(Finished(request_id, FinishReason.ABORT, UNCOUNTED))

    async def consent(self, request_id: str, *, is_given: bool) -> None:
        if (member := self._member_of(request_id)) is not None:
            await member.engine.consent(request_id, is_given=is_given)

    async def allow_sending(self, request_id: str, *, allows: bool) -> None:
        if (member := self._member_of(request_id)) is not None:
            await member.engine.allow_sending(request_id, allows=allows)

    async def unload(self) -> None:
        self._end_waiting("The engine was left")
        for known in self._requests.values():
            known.tried = list(self._members)  # what fails now fails for good
        for member in self._members:
            member.is_up = False
            await member.engine.unload()
        self._images.clear()

    async def close(self) -> None:
        await self.unload()
        for member in self._members:
            await member.engine.close()
        await asyncio.gather(*self._pumps, *self._sending)
        self._events.put_nowait(None)

    # Requests -------------------------------------------------------------------------------

    def _begin(self, request: Generate | Score) -> None:
        keys = {one.key for message in request.messages for one in message.attachments}
        images = {key: self._images[key] for key in keys if key in self._images}
        known = self._requests[request.request_id] = _Request(request, images)
        self._waiting.append(known)
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and not (member := self._best(())).is_full:
            self._send(self._waiting.popleft(), member)

    def _end_waiting(self, why: str) -> None:
        while self._waiting:
            name = self._waiting.popleft().request.request_id
            self._tell_end(Failed(FailureKind.WORKER_DIED, why, request_id=name))

    def _member_of(self, request_id: str) -> _Member | None:
        known = self._requests.get(request_id)
        return None if known is None else known.at

    def _best(self, tried: tuple[_Member, ...]) -> _Member:
        """The one with most room, of those that are up where any is."""
        left = [one for one in self._members if one not in tried]
        return min([one for one in left if one.is_up] or left, key=lambda one: one.share)

    def _send(self, known: _Request, member: _Member) -> None:
        known.at = member
        member.running.add(known.request.request_id)
        task = asyncio.create_task(self._sent(known, member))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _sent(self, known: _Request, member: _Member) -> None:
        name, engine = known.request.request_id, member.engine
        try:
            for key, image in known.images.items():
                if not engine.has_image(key):
                    await engine.put_image(key, image)
        except GlmError as error:
            self._take(member, failure_of(error, name))
            return
        if known.is_aborted:
            self._take(member, Finished(name, FinishReason.ABORT, UNCOUNTED))
        elif isinstance(known.request, Generate):
            await engine.generate(known.request)
        else:
            await engine.score(known.request)

    # What they say --------------------------------------------------------------------------

    async def _pump(self, member: _Member) -> None:
        async for event in member.engine.events():
            self._take(member, event)

    def _take(self, member: _Member, event: Event) -> None:
        match event:
            case Loading():
                if self._is_loading:
                    self._events.put_nowait(event)
            case Loaded():
                member.is_up = member.has_answered = True
                self._tell_up(member, event)
            case Failed(request_id=None):
                member.is_up, member.has_answered = False, True
                self._tell_down(event)
            case TextDelta() | SendingWanted():
                if (known := self._requests.get(event.request_id)) is not None:
                    known.has_text = known.has_text or isinstance(event, TextDelta)
                    self._events.put_nowait(event)
            case Finished() | Scored() | Failed():
                self._end(member, event)
            case _:
                self._events.put_nowait(event)

    def _tell_up(self, member: _Member, event: Loaded) -> None:
        """Once: that another is up, too, concerns nobody. All take their share of what is asked."""
        if not self._is_told_up:
            self._is_loading, self._is_told_up = False, True
            ready = event.model.at_once / member.room
            at_once = round(ready * sum(one.room for one in self._members))
            model = msgspec.structs.replace(event.model, at_once=at_once)
            self._events.put_nowait(Loaded(model))

    def _tell_down(self, event: Failed) -> None:
        """When none is left."""
        if all(one.has_answered and not one.is_up for one in self._members):
            self._is_loading = self._is_told_up = False
            self._events.put_nowait(event)

    def _end(self, member: _Member, event: Finished | Scored | Failed) -> None:
        assert event.request_id is not None
        member.running.discard(event.request_id)
        known = self._requests.get(event.request_id)
        if known is None:
            return
        tried = (*known.tried, member)
        if isinstance(event, Failed) and self._may_go_elsewhere(known, event, tried):
            known.tried = list(tried)
            self._send(known, self._best(tried))
        else:
            self._tell_end(event)
        self._send_waiting()

    def _tell_end(self, event: Finished | Scored | Failed) -> None:
        assert event.request_id is not None
        del self._requests[event.request_id]
        self._events.put_nowait(event)

    def _may_go_elsewhere(
        self, known: _Request, failed: Failed, tried: tuple[_Member, ...]
    ) -> bool:
        is_theirs = failed.kind is FailureKind.SERVER
        is_fresh = not (known.has_text or known.is_aborted)
        return is_theirs and is_fresh and any(one not in tried for one in self._members)
