"""The EXIF orientation: how the stored rows and columns lie in the upright picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

    from glm4v_tui.chat import Box

_TAG = 0x0112
_SWAPPED = (5, 6, 7, 8)
_FROM_RIGHT = (2, 3, 7, 8)
"""Orientations in which the first stored column is not at the beginning of its upright axis."""
_FROM_BOTTOM = (3, 4, 6, 7)


def orientation(image: Image) -> int:
    """How the pixels that Pillow gives are to be turned, 1 (not at all) to 8."""
    if image.format == "TIFF":
        return 1  # Pillow turns these while it loads them, and gives the upright size before
    value = image.getexif().get(_TAG, 1)
    return value if value in range(1, 9) else 1


def is_turned(image: Image) -> bool:
    """Whether the file asks for turning, whoever does it. Call it before the image is loaded."""
    return image.getexif().get(_TAG, 1) in range(2, 9)


def upright_size(image: Image) -> tuple[int, int]:
    """(width, height) of the upright picture, from the header."""
    width, height = image.size
    return (height, width) if orientation(image) in _SWAPPED else (width, height)


def stored_size(size: tuple[int, int], turned: int) -> tuple[int, int]:
    """The size in the file of what has this size when it is upright."""
    return (size[1], size[0]) if turned in _SWAPPED else size


def stored_box(
    box: Box, full: tuple[int, int], stored: tuple[int, int], turned: int
) -> tuple[int, int, int, int]:
    """Where a part of the upright picture lies in the stored one.

    Args:
        box: In pixels of the upright picture.
        full: (width, height) of the upright picture.
        stored: (width, height) of the decoded rows, which may be smaller than the file's.
        turned: The orientation, 1 to 8.
    """
    across = (box.left / full[0], box.right / full[0])
    down = (box.top / full[1], box.bottom / full[1])
    if turned in _SWAPPED:
        across, down = down, across
    if turned in _FROM_RIGHT:
        across = (1 - across[1], 1 - across[0])
    if turned in _FROM_BOTTOM:
        down = (1 - down[1], 1 - down[0])
    left, right = _pixels(across, stored[0])
    top, bottom = _pixels(down, stored[1])
    return left, top, right, bottom


def _pixels(span: tuple[float, float], length: int) -> tuple[int, int]:
    """The whole pixels that a span of fractions touches."""
    rounding = 1e-6
    return math.floor(span[0] * length + rounding), math.ceil(span[1] * length - rounding)


def turn_upright(image: Image, turned: int) -> Image:
    from PIL.Image import Transpose

    methods = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(methods[turned]) if turned in methods else image
