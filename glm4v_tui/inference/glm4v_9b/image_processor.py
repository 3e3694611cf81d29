"""Pictures to pixel values as GLM-4V-9B was trained on them.

The picture is squeezed into a square by Pillow (bicubic with antialiasing, on 8-bit values, the
aspect ratio not kept), scaled to 0..1 and normalized with CLIP's figures. Resizing floats instead
moves the model's features by up to 0.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from transformers import BatchFeature

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)


class Glm4v9bImageProcessor:
    """Makes the tower's input.

    Args:
        image_size: Pixels of a side, as the checkpoint's config tells; ``size`` changes it.
        patch_size: Pixels of a patch's side.
        merge_size: Patches a side that become one token.
    """

    def __init__(self, image_size: int, patch_size: int, merge_size: int = 2) -> None:
        self.patch_size = patch_size
        self.merge_size = merge_size
        self.image_mean = _MEAN
        self.image_std = _STD
        self.size = {"height": image_size, "width": image_size}

    @property
    def size(self) -> dict[str, int]:
        """What every picture becomes, in pixels: ``height`` and ``width``."""
        return dict(self._size)

    @size.setter
    def size(self, size: dict[str, int]) -> None:
        factor = self.patch_size * self.merge_size
        for side in (size["height"], size["width"]):
            if side < factor or side % factor:
                raise ValueError(f"An image's sides must be multiples of {factor}, not {side}.")
        self._size = {"height": size["height"], "width": size["width"]}

    @property
    def tokens(self) -> int:
        """Tokens between an image's begin and end."""
        factor = self.patch_size * self.merge_size
        return (self._size["height"] // factor) * (self._size["width"] // factor)

    def seen_size(self, size: tuple[int, int]) -> tuple[int, int]:  # noqa: ARG002
        """The (width, height) that a picture of any size gets."""
        return self._size["width"], self._size["height"]

    def __call__(self, images: Any, return_tensors: str = "pt") -> BatchFeature:
        """As :meth:`preprocess`, which may be exchanged as in transformers' own processors."""
        return self.preprocess(images, return_tensors=return_tensors)

    def preprocess(self, images: Any, return_tensors: str = "pt") -> BatchFeature:
        """Pictures, or lists of them -> ``pixel_values`` of shape (images, 3, height, width)."""
        pictures = [self.pixels(self.resized(image)) for image in _flat(images)]
        return BatchFeature({"pixel_values": np.stack(pictures)}, tensor_type=return_tensors)

    def resized(self, image: Image.Image) -> Image.Image:
        size = (self._size["width"], self._size["height"])
        return image.convert("RGB").resize(size, Image.Resampling.BICUBIC)

    def pixels(self, image: Image.Image) -> np.ndarray[Any, np.dtype[np.float32]]:
        """An RGB picture -> (3, height, width), normalized."""
        values = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div_(255)
        mean, std = (torch.tensor(three).view(3, 1, 1) for three in (_MEAN, _STD))
        return values.sub_(mean).div_(std).numpy()


def _flat(images: Any) -> Iterable[Image.Image]:
    if isinstance(images, Image.Image):
        yield images
    else:
        nested: Sequence[Any] = images
        for image in nested:
            yield from _flat(image)
