"""From the engine's events to the screen's messages: the only place where both are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from glm4v_tui.engine.protocol import (
    Failed,
    Loaded,
    Loading,
    Measured,
    MemoryReading,
    WorkerExited,
    WorkerSilent,
)

if TYPE_CHECKING:
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
class WorkerFellSilent(Message):
    seconds: float


async def carry_events(session: ChatSession, target: MessagePump) -> None:
    """Give every event to the session, then tell the screen what concerns it.

    The text of answers is not among these messages: the session reports turns that changed.
    """
    async for event in session.engine.events():
        await session.handle(event)
        for message in _messages_of(event):
            target.post_message(message)


def _messages_of(event: Event) -> list[Message]:
    match event:
        case Loading() | Loaded() | Failed(request_id=None):
            return [ModelChanged()]
        case WorkerExited():
            return [MemoryRead(None), ModelChanged()]
        case MemoryReading():
            return [MemoryRead(event)]
        case Measured():
            return [ImagesMeasured(event)]
        case WorkerSilent(seconds=seconds):
            return [WorkerFellSilent(seconds)]
        case _:
            return []
