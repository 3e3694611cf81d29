"""Any picture that Pillow reads -> 8-bit RGB, with words for what was done to it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from glm4v_tui.images.readers import read_of

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

GROUND = (128, 128, 128)
"""Put under transparent pixels: on it both black and white drawings can be seen."""

_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_ROWS = 512


def is_deep(image: Image) -> bool:
    """Whether its one channel has more than 8 bits."""
    return image.mode in _DEEP_MODES


def has_deep_color(image: Image) -> bool:
    """Whether the file has 16 bits in each color; Pillow reads only the upper 8 of them."""
    tiles: list[Any] = getattr(image, "tile", [])
    return bool(tiles) and image.mode in ("RGB", "RGBA", "LA") and ";16" in str(tiles[0][3])


def header_note(image: Image) -> str | None:
    """What ``eight_bit`` will do to the pixels, as far as the header tells."""
    if (read := read_of(image)) is not None and read.window is not None:
        return None  # the reader's own notes say how its values are shown
    if is_deep(image):
        return f"{_depth(image)} gray: scaled by its own range"
    if image.mode in ("CMYK", "LAB"):
        return f"{image.mode} colors converted to RGB"
    return "transparent parts laid on gray" if image.has_transparency_data else None


def eight_bit(image: Image, notes: list[str]) -> Image:
    """Convert to L, RGB, LA or RGBA with 8 bits a channel, whatever came in."""
    if is_deep(image):
        return _scaled(image, notes)
    if image.mode in ("CMYK", "LAB"):
        notes.append(f"{image.mode} colors converted to RGB")
        return _through_profile(image) or image.convert("RGB")
    if image.has_transparency_data:
        return image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def flattened(image: Image, notes: list[str]) -> Image:
    """Lay transparent pixels on the neutral ground; the result is RGB."""
    import PIL.Image

    if image.mode not in ("LA", "RGBA"):
        return image.convert("RGB")
    if image.getextrema()[-1] == (255, 255):
        return image.convert("RGB")
    notes.append("transparent parts laid on gray")
    colored = image.convert("RGBA")
    ground = PIL.Image.new("RGBA", colored.size, (*GROUND, 255))
    return PIL.Image.alpha_composite(ground, colored).convert("RGB")


def _scaled(image: Image, notes: list[str]) -> Image:
    """Map the reader's window, or all values there are, to 0 to 255."""
    import numpy as np
    import PIL.Image

    values = np.asarray(image)
    read = read_of(image)
    if read is not None and read.window is not None:
        return windowed(image, *read.window)
    low, high = _range(values)
    notes.append(f"{_depth(image)} gray: {low:g} to {high:g} scaled to 0 to 255")
    span = (high - low) or 1.0
    flip = _is_white_zero(image)
    out = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _ROWS):  # in pieces: a float copy of all of it is large
        part = (values[top : top + _ROWS].astype(np.float64) - low) * (255.0 / span)
        part = np.nan_to_num(part, nan=0.0, posinf=255.0, neginf=0.0).round().clip(0, 255)
        out[top : top + _ROWS] = 255 - part if flip else part
    return PIL.Image.fromarray(out)


def windowed(image: Image, center: float, width: float) -> Image:
    """Map a window of values to 0 to 255 and what lies outside to its ends.

    The LINEAR function of DICOM PS3.3 C.11.2.1.2.1: ((x - (c - 0.5)) / (w - 1) + 0.5) * 255.
    Low values become bright where the picture's reader, or a TIFF, says so.

    Args:
        image: One channel of any depth.
        center: The value that becomes middle gray.
        width: Values from black to white, at least 1; at 1 it is a threshold.
    """
    import numpy as np
    import PIL.Image

    values = np.asarray(image)
    out = np.empty(values.shape, np.uint8)
    slope = 255.0 / (width - 1) if width > 1 else 0.0
    flip = _is_white_zero(image)
    for top in range(0, len(values), _ROWS):
        part = values[top : top + _ROWS].astype(np.float64) - (center - 0.5)
        gray = part * slope + 127.5 if slope else np.where(part > 0, 255.0, 0.0)
        gray = np.nan_to_num(gray, nan=0.0, posinf=255.0, neginf=0.0)
        gray = gray.round().clip(0, 255)
        out[top : top + _ROWS] = 255 - gray if flip else gray
    return PIL.Image.fromarray(out)


def _range(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    """The smallest and largest value that is a number."""
    import numpy as np

    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 0.0
    return float(values.min()), float(values.max())


def _depth(image: Image) -> str:
    return {"I": "32-bit", "F": "float"}.get(image.mode, "16-bit")


def _is_white_zero(image: Image) -> bool:
    """Whether low values are bright, as a reader says, or a TIFF; of those Pillow inverts 8-bit
    ones itself, 16-bit ones not."""
    if (read := read_of(image)) is not None:
        return read.is_inverted
    tags: Any = getattr(image, "tag_v2", {})
    return image.mode.startswith("I;16") and tags.get(262) == 0


def _through_profile(image: Image) -> Image | None:
    """Convert by the color profile in the file; None when there is none that fits."""
    from PIL import ImageCms

    data = image.info.get("icc_profile")
    if not data and image.mode != "LAB":
        return None
    try:
        source = (
            ImageCms.ImageCmsProfile(io.BytesIO(data)) if data else ImageCms.createProfile("LAB")
        )
        return ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError):
        return None
