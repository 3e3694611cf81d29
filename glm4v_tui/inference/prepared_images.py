"""What the image processor made of recent images, so that a follow-up does not make it again.

A prompt is rendered whole for every question, and its images go through the processor each time:
a tenth of a second for a large one, which is longer than the model needs to begin its answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

_NAME = "glm4v-tui-key"
_BUDGET = 160 << 20
"""Bytes; an image of 1120x1120 pixels takes 30 MB."""


def name_image(image: Image, key: str) -> Image:
    """Write an image's key where its copies keep it."""
    image.info[_NAME] = key
    return image


def remember_images(image_processor: Any, budget: int = _BUDGET) -> None:
    """Let a processor keep what it makes of images that :func:`name_image` named.

    For processors that make of several images what they make of each, one after the other, as
    those of GLM do.
    """
    image_processor.preprocess = _Remembering(image_processor.preprocess, budget)


def forget_images(copied: Any) -> None:
    """Let the copy of such a processor make all images itself: its settings may change."""
    vars(copied).pop("preprocess", None)


class _Remembering:
    """In place of the processor's ``preprocess``."""

    def __init__(self, preprocess: Callable[..., Any], budget: int) -> None:
        self._preprocess = preprocess
        self._budget = budget
        self._made: dict[str, Any] = {}

    def __call__(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        flat = _flat(images)
        keys = [getattr(image, "info", {}).get(_NAME) for image in flat]
        if args or not flat or None in keys:
            return self._preprocess(images, *args, **kwargs)
        how = repr(sorted(kwargs.items()))
        parts = [
            self._one(f"{key} {image.size} {how}", image, kwargs)
            for key, image in zip(keys, flat, strict=True)
        ]
        if len(parts) == 1:
            return type(parts[0])(dict(parts[0]))
        import torch

        if not all(isinstance(value, torch.Tensor) for part in parts for value in part.values()):
            return self._preprocess(images, **kwargs)
        both = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        return type(parts[0])(both)

    def _one(self, key: str, image: Image, kwargs: dict[str, Any]) -> Any:
        made = self._made.pop(key, None)
        if made is None:
            made = self._preprocess([image], **kwargs)
        self._made[key] = made
        while len(self._made) > 1 and sum(map(_nbytes, self._made.values())) > self._budget:
            del self._made[next(iter(self._made))]
        return made


def _flat(images: Any) -> list[Any]:
    if isinstance(images, list | tuple):
        return [image for some in images for image in _flat(some)]
    return [images]


def _nbytes(made: Any) -> int:
    import torch

    return sum(value.nbytes for value in made.values() if isinstance(value, torch.Tensor))
