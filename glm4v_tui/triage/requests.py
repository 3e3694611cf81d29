"""Requests to the engine that end in a value, beside those of a conversation."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.engine.protocol import (
    Event,
    Failed,
    Finished,
    FinishReason,
    Generate,
    Progress,
    Score,
    Scored,
    TextDelta,
    error_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from glm4v_tui.chat import Attachment, Message
    from glm4v_tui.engine.engine import Engine
    from glm4v_tui.engine.protocol import ResultForm, RgbImage, Sampling, SmallerImages


class Withdrawn(Exception):  # noqa: N818 - not an error: somebody asked for it
    """What was asked was ended, on demand, before its answer was there."""


@dataclass(frozen=True)
class ShownImage:
    """An image on its way to the model, under a name of its own."""

    attachment: Attachment
    pixels: RgbImage
    urgent: bool = False
    """Somebody looks at it."""


@dataclass
class _Waiting:
    """A request that has not ended."""

    ended: asyncio.Future[Finished | Scored]
    text: list[str] = field(default_factory=list)


class Requests:
    """Sends requests and waits for their ends.

    Images go under names of their own and are dropped when they have been asked about: the model's
    process keeps what conversations show, and a folder of 100,000 images must not fill it.
    """

    def __init__(
        self,
        engine: Engine,
        smaller_images: SmallerImages = "never",
        *,
        private_task: str = "",
    ) -> None:
        """Args: private_task: The task that asks, where that is private."""
        self._engine = engine
        self._smaller_images = smaller_images
        self._private_task = private_task
        self._waiting: dict[str, _Waiting] = {}
        self.generation = 0
        """Grows with every :meth:`withdraw`."""

    def require(self, generation: int) -> None:
        """Go on only where nothing was withdrawn since.

        Raises:
            Withdrawn: it was.
        """
        if generation != self.generation:
            raise Withdrawn

    async def withdraw(self) -> None:
        """End all requests; those who wait for them get ``Withdrawn``."""
        self.generation += 1
        for name in list(self._waiting):
            await self._engine.abort(name)

    @contextlib.asynccontextmanager
    async def shown(
        self, attachment: Attachment, pixels: RgbImage, *, urgent: bool = False
    ) -> AsyncIterator[ShownImage]:
        """An image to ask about; the model's process lets go of it at the end."""
        own = f"{attachment.digest} ahead {uuid.uuid4().hex}"
        image = ShownImage(msgspec.structs.replace(attachment, path="", digest=own), pixels, urgent)
        try:
            yield image
        finally:
            await self._engine.drop_image(image.attachment.key)

    async def score(
        self, image: ShownImage, messages: tuple[Message, ...], answers: tuple[str, ...]
    ) -> Scored:
        """How probable the answers are.

        Raises:
            GlmError: what the model or its process failed with.
            Withdrawn: by :meth:`withdraw`.
        """
        name = uuid.uuid4().hex
        request = Score(
            name,
            messages,
            answers,
            smaller_images=self._smaller_images,
            urgent=image.urgent,
            private_task=self._private_task,
        )
        ended, _ = await self._end_of(image, request)
        assert isinstance(ended, Scored)
        return ended

    async def generate(
        self,
        image: ShownImage,
        messages: tuple[Message, ...],
        sampling: Sampling,
        form: ResultForm,
    ) -> tuple[str, Finished]:
        """An answer as the model wrote it, and how it ended.

        Raises:
            GlmError: what the model or its process failed with.
            Withdrawn: by :meth:`withdraw`.
        """
        name = uuid.uuid4().hex
        request = Generate(
            name,
            messages,
            sampling,
            form,
            smaller_images=self._smaller_images,
            urgent=image.urgent,
            private_task=self._private_task,
        )
        ended, text = await self._end_of(image, request)
        assert isinstance(ended, Finished)
        return text, ended

    def handle(self, event: Event) -> bool:
        """Take an event of the engine; True when it belongs to a request of this object."""
        if not isinstance(event, TextDelta | Progress | Finished | Scored | Failed):
            return False
        waiting = self._waiting.get(event.request_id or "")
        if waiting is None:
            return False
        match event:
            case TextDelta(text=text):
                waiting.text.append(text)
            case Finished() | Scored():
                _settle(waiting.ended, event)
            case Failed():
                _settle(waiting.ended, error_of(event))
        return True

    async def _end_of(
        self, image: ShownImage, request: Generate | Score
    ) -> tuple[Finished | Scored, str]:
        """Send a request and wait for its end; given up by its caller, it is aborted."""
        name = request.request_id
        waiting = _Waiting(asyncio.get_running_loop().create_future())
        self._waiting[name] = waiting
        try:
            await self._send(image, request)
            ended = await waiting.ended
        except asyncio.CancelledError:
            await self._engine.abort(name)
            raise
        finally:
            del self._waiting[name]
        if isinstance(ended, Finished) and ended.reason is FinishReason.ABORT:
            raise Withdrawn
        return ended, "".join(waiting.text)

    async def _send(self, image: ShownImage, request: Generate | Score) -> None:
        if not self._engine.has_image(image.attachment.key):  # a new process has none
            await self._engine.put_image(image.attachment.key, image.pixels)
        if isinstance(request, Score):
            await self._engine.score(request)
        else:
            await self._engine.generate(request)


def _settle(ended: asyncio.Future[Finished | Scored], end: Finished | Scored | Exception) -> None:
    if ended.done():
        return
    if isinstance(end, Exception):
        ended.set_exception(end)
    else:
        ended.set_result(end)
