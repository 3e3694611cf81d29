"""Square pixels: what is round in the patient is round in the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.images import MAX_SOURCE_PIXELS

if TYPE_CHECKING:
    from PIL.Image import Image

    from glm4v_tui_medical.header import Header

TOLERANCE = 0.005
"""Pixels this much off the square are left alone: half a pixel in a hundred."""
LIMIT = 16.0
"""A stretch beyond this is a mistake in the file."""


def spacing(header: Header) -> tuple[float, float] | None:
    """Millimeters between rows and between columns, in the patient."""
    found = header.numbers("PixelSpacing", "PixelMeasuresSequence")
    return (found[0], found[1]) if len(found) == 2 and min(found) > 0 else None


def pixel_shape(header: Header) -> float:
    """Height of a pixel by its width; 1 where the file says nothing usable.

    PS3.3 C.7.6.3.1.7 has the ratio as vertical by horizontal, 10.7.1.3 the spacings as between
    rows, then between columns.
    """
    both = spacing(header)
    for keyword in ("ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"):
        if both is not None:
            break
        found = header.numbers(keyword)
        both = (found[0], found[1]) if len(found) == 2 and min(found) > 0 else None
    shape = both[0] / both[1] if both else 1.0
    return shape if 1 / LIMIT <= shape <= LIMIT else 1.0


def square(image: Image, shape: float) -> tuple[Image, str]:
    """The picture with square pixels, stretched where they are narrow so that none is lost.

    Returns:
        The picture, and what was done in words; empty for nothing.
    """
    from PIL.Image import Resampling

    if abs(shape - 1) <= TOLERANCE:
        return image, ""
    width, height = image.size
    size = (width, round(height * shape)) if shape > 1 else (round(width / shape), height)
    if size[0] * size[1] > MAX_SOURCE_PIXELS:
        return image, f"pixels are {shape:.3g} times as high as wide"
    note = f"stretched from {width}x{height} to {size[0]}x{size[1]} for square pixels"
    return image.resize(size, Resampling.BILINEAR), note
