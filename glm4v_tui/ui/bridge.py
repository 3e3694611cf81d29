"""From the engine's events to the screen's messages: the only place where both are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from textual.message import Message

from glm4v_tui.engine.protocol import (
    Eased,
    Failed,
    Loaded,
    Loading,
    Measured,
    MemoryReading,
    SendingWanted,
    WorkerExited,
    WorkerSilent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App
    from textual.message_pump import MessagePump

    from glm4v_tui.engine.protocol import Event
    from glm4v_tui.session import ChatSession


class ModelChanged(Message):
    """Loading went on, ended or failed, or the model is gone; the session says which."""


@dataclass
class MemoryRead(Message):
    reading: MemoryReading | None
    """None when the worker is gone."""


@dataclass
class ImagesMeasured(Message):
    measured: Measured


@dataclass
class MemoryEased(Message):
    """Something was done because the memory did not suffice; the chat tells it in its turn."""

    words: str


@dataclass
class WorkerFellSilent(Message):
    seconds: float


@dataclass
class SendingAsked(Message):
    """Images of the conversation are about to leave this machine."""

    wanted: SendingWanted


@dataclass
class EventRoute:
    """Where the engine's events go; whoever comes and leaves adds and removes itself."""

    takers: list[Callable[[Event], bool]] = field(default_factory=list)
    """Asked first; True from one that the event was for: the conversation never sees it."""
    targets: list[MessagePump] = field(default_factory=list)
    """Screens that are told of the model."""


@runtime_checkable
class HasEventRoute(Protocol):
    route: EventRoute


def route_of(app: App[Any]) -> EventRoute:
    """The app's route."""
    assert isinstance(app, HasEventRoute)
    return app.route


async def carry_events(session: ChatSession, route: EventRoute) -> None:
    """Give every event to whom it is for, then tell the screens what concerns them.

    The text of answers is not among these messages: the session reports turns that changed.
    """
    async for event in session.engine.events():
        if any(take(event) for take in route.takers):
            continue
        if isinstance(event, SendingWanted) and not session.is_asked(event.request_id):
            # nobody sees a question about what is asked beside the conversation: no
            await session.engine.allow_sending(event.request_id, allows=False)
            continue
        await session.handle(event)
        for message in _messages_of(event):
            for target in route.targets:
                target.post_message(message)


def _messages_of(event: Event) -> list[Message]:
    match event:
        case Loading() | Loaded() | Failed(request_id=None):
            return [ModelChanged()]
        case Eased(message=words, model=model):
            told: list[Message] = [MemoryEased(words)] if words else []
            return [*told, ModelChanged()] if model is not None else told
        case WorkerExited():
            return [MemoryRead(None), ModelChanged()]
        case MemoryReading():
            return [MemoryRead(event)]
        case Measured():
            return [ImagesMeasured(event)]
        case SendingWanted():
            return [SendingAsked(event)]
        case WorkerSilent(seconds=seconds):
            return [WorkerFellSilent(seconds)]
        case _:
            return []
