"""The images on their way to the next question."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.errors import GlmError, ImageError
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from glm4v_tui.chat import Attachment, Box
    from glm4v_tui.engine.protocol import Measured

Size = tuple[int, int]


class PendingImages:
    """Opens files in threads, keeps their order, knows what they will cost.

    Args:
        on_change: Called when the list, or what is known of it, has changed.
        on_refused: Called with the path and the reason when a file cannot be attached.
        readers_there: Ends when the readers of plugins are there: files whose names are not those
            of common formats wait for it.
    """

    def __init__(
        self,
        on_change: Callable[[], None],
        on_refused: Callable[[Path, GlmError], None],
        readers_there: Callable[[], Awaitable[None]],
    ) -> None:
        self._readers_there = readers_there
        self.attachments: list[Attachment] = []
        self.costs: dict[Size, tuple[Size, int]] = {}
        """(width, height) -> what the model will see and how many tokens that is."""
        self._outdated: set[Size] = set()
        """Measured by a model that is gone."""
        self.refusals = 0
        """How many files could not be attached so far."""
        self._opening: list[Path] = []
        self._on_change = on_change
        self._on_refused = on_refused
        self._held = 0
        self._settled = asyncio.Event()
        self._settled.set()
        self._one_by_one = asyncio.Lock()

    @property
    def opening(self) -> list[str]:
        return [path.name for path in self._opening]

    def cost_of(self, images: Iterable[Attachment]) -> int:
        """What these images add to the context, as far as it is known."""
        sizes = [(image.width, image.height) for image in images]
        return sum(self.costs[size][1] for size in sizes if size in self.costs)

    def seen(self, images: Iterable[Attachment]) -> list[Size]:
        """(width, height) at which the model sees these images, as far as it is known."""
        sizes = [(image.width, image.height) for image in images]
        return [self.costs[size][0] for size in sizes if size in self.costs]

    @property
    def unmeasured(self) -> tuple[Size, ...]:
        sizes = {(image.width, image.height) for image in self.attachments}
        return tuple(sorted((sizes | self._outdated) - self.costs.keys()))

    async def add(self, path: Path, crop: Box | None = None) -> bool:
        """Open and attach one image; True when it is attached."""
        from glm4v_tui import images  # Pillow: not before the first image

        self._opening.append(path)
        self._on_change()
        try:
            async with self._one_by_one:
                if path.suffix.lower() not in images.IMAGE_SUFFIXES:
                    await self._readers_there()
                opened = await asyncio.to_thread(images.open_image, path, crop)
        except GlmError as error:
            self.refusals += 1
            self._on_refused(path, error)
            return False
        else:
            return self._take(path, opened.attachment)
        finally:
            self._opening.remove(path)
            self._on_change()

    def _take(self, path: Path, image: Attachment) -> bool:
        same = next((other for other in self.attachments if image.key == other.key), None)
        if same is not None:
            title = "This image is attached already"
            is_copy = same.path != image.path
            body = f"Its content is that of {plain_line(Path(same.path).name)}." if is_copy else ""
            self._on_refused(path, ImageError(title, body))
            return False
        self.attachments.append(image)
        return True

    def note_costs(self, measured: Measured) -> None:
        costs = zip(measured.seen, measured.tokens, strict=True)
        self.costs.update(zip(measured.sizes, costs, strict=True))
        self._on_change()

    def forget_costs(self) -> None:
        """All that was measured is to be measured anew, images of the conversation included."""
        self._outdated |= self.costs.keys()
        self.costs.clear()

    def hold(self, work: Coroutine[None, None, None]) -> Coroutine[None, None, None]:
        """Work that brings images; from this call to its end nothing is settled."""
        self._held += 1
        self._settled.clear()
        return self._finish(work)

    async def _finish(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        finally:
            self._held -= 1
            if not self._held:
                self._settled.set()

    async def settled(self) -> None:
        """Wait until no image is on its way."""
        while self._held:
            await self._settled.wait()

    def take(self) -> list[Attachment]:
        """Hand the images over to a question."""
        taken, self.attachments = self.attachments, []
        self._on_change()
        return taken

    def put_back(self, attachments: tuple[Attachment, ...]) -> None:
        """Attach what belonged to a question that is written anew, before what is attached."""
        kept = [image for image in self.attachments if image not in attachments]
        self.attachments = [*attachments, *kept]
        self._on_change()

    def replace(self, attachments: tuple[Attachment, ...]) -> None:
        self.attachments = list(attachments)
        self._on_change()

    def remove_last(self) -> Attachment | None:
        removed = self.attachments.pop() if self.attachments else None
        self._on_change()
        return removed
