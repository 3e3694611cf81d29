"""The one interface through which the screen and the commands talk to a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from glm4v_tui.engine.protocol import Event, Generate, LoadModel, RgbImage, Score


class Engine(ABC):
    """A model somewhere else: commands go in, events come out in order.

    Methods return when the command is on its way, not when it is carried out; what became of it
    is told by :meth:`events`. See :mod:`glm4v_tui.engine.protocol` for what ends what.
    """

    @abstractmethod
    def events(self) -> AsyncIterator[Event]:
        """All events until :meth:`close`. One consumer."""

    @abstractmethod
    async def load(self, command: LoadModel) -> None:
        """Load a model in place of the present one. What was running fails first."""

    @abstractmethod
    def has_image(self, key: str) -> bool:
        """True when the pixels behind ``Attachment.key`` need not be put again."""

    @abstractmethod
    async def put_image(self, key: str, image: RgbImage) -> None:
        """Give the pixels of an image before the request that shows it."""

    @abstractmethod
    async def drop_image(self, key: str) -> None:
        """Let go of an image; requests that were sent before still see it."""

    @abstractmethod
    async def measure(self, sizes: tuple[tuple[int, int], ...]) -> None:
        """Ask for the cost of images of these (width, height)."""

    @abstractmethod
    async def generate(self, request: Generate) -> None:
        """Ask for an answer. After a crash this starts the model again first."""

    @abstractmethod
    async def score(self, request: Score) -> None:
        """Ask how probable some answers are. After a crash this starts the model again first."""

    @abstractmethod
    async def abort(self, request_id: str) -> None:
        """End a request; harmless when it has ended already."""

    async def allow_sending(  # noqa: B027 - most engines never ask
        self, request_id: str, *, allows: bool
    ) -> None:
        """Answer a ``SendingWanted``; harmless when nothing waits for it. Only an engine that sends
        images elsewhere ever asks."""

    @abstractmethod
    async def consent(self, request_id: str, *, is_given: bool) -> None:
        """Answer a ``ConsentWanted``; harmless where nothing waits for it."""

    @abstractmethod
    async def unload(self) -> None:
        """Give back all memory. The next :meth:`load` or :meth:`generate` starts afresh."""

    @abstractmethod
    async def close(self) -> None:
        """End for good; ends :meth:`events`."""
