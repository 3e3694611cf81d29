"""At which size the vision tower sees an image, and how many tokens and patches that is.

The rule of GLM's and Qwen's processors (``smart_resize`` of transformers), for a plan without the
processor; the running model's own count comes from its processor.
"""

from __future__ import annotations

from math import ceil, floor, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glm4v_tui.plan.shape import Vision

    Size = tuple[int, int]

_LONGEST = 200
"""How many times as long as wide an image may be."""


def seen_size(vision: Vision, size: Size) -> Size:
    """(width, height) of an image -> that which the tower gets.

    Raises:
        ValueError: the image has no extent, or is more than 200 times as long as wide.
    """
    if min(size) < 1 or max(size) > _LONGEST * min(size):
        raise ValueError(f"{size[0]}x{size[1]} is no size that the model can see")
    factor = vision.patch * vision.merge
    if vision.size is not None:
        side = vision.size // factor * factor
        return side, side
    return _resized(vision, size, factor)


def _resized(vision: Vision, size: Size, factor: int) -> Size:
    width, height = size
    if min(size) < factor:
        scale = max(factor / height, factor / width)
        width, height = int(width * scale), int(height * scale)
    new = round(width / factor) * factor, round(height / factor) * factor
    pixels = vision.frames * width * height
    seen = vision.frames * new[0] * new[1]
    if seen > vision.max_pixels:
        beta = sqrt(pixels / vision.max_pixels)
        return tuple(max(factor, floor(side / beta / factor) * factor) for side in (width, height))  # type: ignore[return-value]
    if seen < vision.min_pixels:
        beta = sqrt(vision.min_pixels / pixels)
        return tuple(ceil(side * beta / factor) * factor for side in (width, height))  # type: ignore[return-value]
    return new


def patches_of(vision: Vision, seen: Size) -> int:
    """Vectors that go through the tower's layers for an image seen at this size."""
    extra = 1 if vision.size is not None else 0  # the class token of a CLIP
    return (seen[0] // vision.patch) * (seen[1] // vision.patch) + extra


def tokens_of(vision: Vision, seen: Size) -> int:
    """Places in the context that an image seen at this size takes."""
    factor = vision.patch * vision.merge
    return (seen[0] // factor) * (seen[1] // factor) + vision.extra_tokens
