"""Color frames -> 8-bit RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glm4v_tui_medical import refusals

if TYPE_CHECKING:
    import numpy as np

    from glm4v_tui_medical.header import Header


def from_palette(stored: np.ndarray[Any, Any], header: Header) -> np.ndarray[Any, Any]:
    """Indices -> (rows, columns, 3) of 8 bits, by the palette in the file.

    Raises:
        ImageTruncatedError: The palette is not as it declares.
    """
    import numpy as np
    from pydicom.pixels import apply_color_lut

    try:
        colors = apply_color_lut(stored, header.dataset)[..., :3]
    except (AttributeError, TypeError, ValueError, ArithmeticError, IndexError) as error:
        raise refusals.damaged("its palette is not as it declares") from error
    if colors.dtype.itemsize == 1:
        return np.asarray(colors)
    # Entries of 16 bits hold the color in their upper half, but some files use the lower one.
    return np.asarray(colors if colors.max(initial=0) < 256 else colors >> 8, np.uint8)


def eight_bits(stored: np.ndarray[Any, Any], header: Header) -> np.ndarray[Any, Any]:
    """(rows, columns, 3) of any depth -> the upper 8 bits."""
    import numpy as np

    bits = header.count("BitsStored", 8)
    return (stored >> max(0, bits - 8)).astype(np.uint8)
