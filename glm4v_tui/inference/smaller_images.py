"""Images read smaller than they are, when their owner agrees.

GLM's and Qwen's processors make as many tokens of an image as its area asks for, so the picture
itself is made smaller. GLM-4V-9B reads every picture at one size; there that size is lowered, and
its position table is resampled (see ``glm4v_9b.vision``). Models that make as many tokens of every
picture, and read it at one size only, have nothing to offer.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glm4v_tui.inference.prepared_images import forget_images
from glm4v_tui.inference.prompt import PromptWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from PIL import Image

    from glm4v_tui.chat import Message
    from glm4v_tui.inference.image_cost import ImageCost
    from glm4v_tui.inference.prompt import Prompt

    Size = tuple[int, int]
    Picture = Callable[[str], Image.Image]

_LANCZOS = 1
"""``PIL.Image.Resampling.LANCZOS``"""
_SHARE = 0.5
"""Of an image's area and tokens, in one step."""
_LEAST_SIDE = 112
"""Pixels; an image whose sides would be shorter on average shows too little."""


@dataclass(frozen=True)
class Proposal:
    """What could be read smaller."""

    areas: dict[str, int]
    """By ``Attachment.key``, the largest area in pixels."""
    before: Size
    after: Size
    """(width, height) at which the model sees the largest image, and would see it."""
    tokens_less: int

    @property
    def change(self) -> str:
        """From what to what, for the user."""
        (w, h), (new_w, new_h) = self.before, self.after
        more = len(self.areas) - 1
        others = f" and {more} more" if more else ""
        return f"{new_w}×{new_h}, not {w}×{h}{others}: {self.tokens_less:,} tokens less"


class SmallerImages:
    """The sizes that were agreed on; they outlast the model's being loaded again."""

    def __init__(self) -> None:
        self._agreed: dict[str, int] = {}
        self._standing: int | None = None
        """For every image of those who agree beforehand."""
        self._reader: _Reader | _FixedReader | None = None
        self.writer: PromptWriter | None = None
        """Of prompts whose images are as large as the model allows."""

    def use(self, processor: Any, writer: PromptWriter, cost: ImageCost) -> None:
        """What prompts are written with from now on; what was agreed stays."""
        self.writer = writer
        fixed = hasattr(processor.image_processor, "seen_size")
        self._reader = _FixedReader(processor, writer) if fixed else _Reader(writer, cost)

    def copy(self) -> SmallerImages:
        made = copy(self)
        made._agreed = dict(self._agreed)
        return made

    def agree(self, proposal: Proposal, *, for_all: bool) -> None:
        self._agreed |= proposal.areas
        if for_all:
            self._standing = min(proposal.areas.values())

    def propose(
        self, messages: Sequence[Message], size_of: Callable[[str], Size | None], *, for_all: bool
    ) -> Proposal | None:
        """How the largest images of a conversation could be read smaller; None if they cannot."""
        assert self._reader is not None
        keys = dict.fromkeys(image.key for message in messages for image in message.attachments)
        sizes = {key: size for key in keys if (size := size_of(key)) is not None}
        return self._reader.propose(sizes, self._areas(keys, for_all=for_all))

    def write(self, messages: Sequence[Message], picture: Picture, *, for_all: bool) -> Prompt:
        """The prompt, with images no larger than was agreed."""
        assert self._reader is not None
        keys = [image.key for message in messages for image in message.attachments]
        areas = self._areas(keys, for_all=for_all)
        return self._reader.writer(areas).write(messages, self._reader.seen(picture, areas))

    def tells_of(self, messages: Sequence[Message]) -> str:
        """What the user must know of images that nobody was asked about; mostly nothing.

        A reader of one size for all reads all of a conversation as small as one of them.
        """
        keys = {image.key for message in messages for image in message.attachments}
        agreed = keys & self._agreed.keys()
        if not isinstance(self._reader, _FixedReader) or not agreed or agreed == keys:
            return ""
        return "All images of this conversation are read as small as was agreed on for one of them."

    def _areas(self, keys: Iterable[str], *, for_all: bool) -> dict[str, int]:
        found = {key: self._agreed[key] for key in keys if key in self._agreed}
        if for_all and self._standing is not None:
            found = {key: min(found.get(key, self._standing), self._standing) for key in keys}
        return found


class _Reader:
    """For processors whose tokens follow from a picture's area."""

    def __init__(self, writer: PromptWriter, cost: ImageCost) -> None:
        self._writer, self._cost = writer, cost

    def writer(self, areas: dict[str, int]) -> PromptWriter:  # noqa: ARG002 - the pictures shrink
        return self._writer

    def seen(self, picture: Picture, areas: dict[str, int]) -> Picture:
        def shrunk(key: str) -> Image.Image:
            image = picture(key)
            size = fitted(image.size, areas.get(key))
            return image if size == image.size else image.resize(size, _LANCZOS)

        return shrunk

    def propose(self, sizes: dict[str, Size], areas: dict[str, int]) -> Proposal | None:
        now = {key: self._cost.measure(fitted(sizes[key], areas.get(key))) for key in sizes}
        most = max((tokens for _, tokens in now.values()), default=0)
        found: dict[str, int] = {}
        then: dict[str, tuple[Size, int]] = {}
        for key, ((width, height), tokens) in now.items():
            area = int(width * height * _SHARE)
            if tokens <= most * _SHARE or area < _LEAST_SIDE**2:
                continue
            then[key] = self._cost.measure(fitted(sizes[key], area))
            if then[key][1] < tokens:
                found[key] = area
        if not found:
            return None
        largest = max(found, key=lambda key: now[key][1])
        less = sum(now[key][1] - then[key][1] for key in found)
        return Proposal(found, now[largest][0], then[largest][0], less)


class _FixedReader:
    """For a processor that gives all pictures of a prompt one square size, and lets it change."""

    def __init__(self, processor: Any, writer: PromptWriter) -> None:
        self._processor, self._writer = processor, writer

    def writer(self, areas: dict[str, int]) -> PromptWriter:
        if not areas:
            return self._writer
        smaller = self._at(min(areas.values()))
        return PromptWriter(smaller, smaller.image_token_id)

    def seen(self, picture: Picture, areas: dict[str, int]) -> Picture:  # noqa: ARG002 - its size
        return picture

    def propose(self, sizes: dict[str, Size], areas: dict[str, int]) -> Proposal | None:
        if not sizes or self._processor.image_processor is None:
            return None
        whole = self._processor.image_processor
        now = self._at(min(areas.values())).image_processor if areas else whole
        width, height = now.seen_size((0, 0))
        area = int(width * height * _SHARE)
        then = self._at(area).image_processor
        if area < _LEAST_SIDE**2 or then.tokens >= now.tokens:
            return None
        less = (now.tokens - then.tokens) * len(sizes)
        return Proposal(dict.fromkeys(sizes, area), (width, height), then.seen_size((0, 0)), less)

    def _at(self, area: int) -> Any:
        """The processor at the largest square of at most this area: of even sides in patches."""
        changed, images = copy(self._processor), copy(self._processor.image_processor)
        forget_images(images)
        step = images.patch_size * images.merge_size
        side = max(step, int(math.sqrt(area)) // step * step)
        images.size = {"height": side, "width": side}
        changed.image_processor = images
        return changed


def fitted(size: Size, area: int | None) -> Size:
    """A size of the same shape that has at most this area, in pixels."""
    width, height = size
    if area is None or width * height <= area:
        return size
    scale = math.sqrt(area / (width * height))
    return max(1, int(width * scale)), max(1, int(height * scale))
