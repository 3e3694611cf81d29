"""Barcodes and QR codes in a picture, read by zxing-cpp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.plain import plain_text
from glm4v_tui_retail.check_digit import expanded_upc_e, is_valid, is_valid_upc_e

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL.Image import Image

    from glm4v_tui import Facts

KEY = "codes"
"""Where the codes are in ``Facts.values``."""
UPC_E = "UPC-E"
_UPCE = "UPCE"
"""Under which zxing-cpp keeps the eight digits."""
FIRST_SIDE = 1600
"""Pixels of the longer side in the first pass."""
_LONGEST_TEXT = 500
_MOST_CODES = 50
_FORMATS = (
    "EAN13", "EAN8", "UPCA", "UPCE", "ITF", "Code128", "DataBar", "QRCode", "MicroQRCode",
    "DataMatrix",
)  # fmt: skip
"""What stands on packages. Each further format costs time, and finds codes where there are none."""


class Code(msgspec.Struct, frozen=True):
    """A code as it was read."""

    format: str
    """``EAN-13``, ``UPC-A``, ``QR Code``, ..."""
    text: str
    """Safe to show. GS1 element strings have their identifiers in parentheses."""
    check: bool | None
    """Whether the check digit is right; None for a code that has none."""
    corners: tuple[tuple[int, int], ...]
    """Four (x, y), in pixels of the picture that was asked about."""
    is_gs1: bool = False

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the upright box around it; the last two exclusive."""
        across, down = zip(*self.corners, strict=True)
        return min(across), min(down), max(across) + 1, max(down) + 1

    @property
    def number(self) -> str | None:
        """The article number as 14 digits; None for a code that is none, or a wrong one."""
        if not self.check:
            return None
        return (expanded_upc_e(self.text) if self.format == UPC_E else self.text).zfill(14)


def read_codes(image: Image) -> list[Code]:
    """All codes, from the top down.

    A picture is first searched at 1600 pixels, which takes a few hundredths of a second and finds
    what fills a good part of it; then, unless that gave an article number, at its full size.

    Args:
        image: Upright RGB.
    """
    from PIL.Image import Resampling

    grey = image.convert("L")
    scale = FIRST_SIDE / max(grey.size)
    if scale >= 1:
        return _in_order(_read(grey, 1.0))
    size = max(1, round(grey.width * scale)), max(1, round(grey.height * scale))
    found = _read(grey.resize(size, Resampling.BICUBIC, reducing_gap=2.0), scale)
    if not any(code.check for code in found):
        found += _read(grey, 1.0)
    return _in_order(found)


def codes_of(facts: Facts) -> list[Code] | None:
    """The codes that were found in a picture; None when they were not looked for."""
    found = facts.values.get(KEY)
    return None if found is None else msgspec.convert(found, list[Code])


def _in_order(codes: Sequence[Code]) -> list[Code]:
    """Each once, without those that another one lies over.

    A scan line that leaves a tilted code halfway may read a wrong number, even with a right check
    digit. The right one is read along more lines, so it covers more.
    """
    kept: list[Code] = []
    for code in sorted(codes, key=lambda one: (one.check is False, -_area(one.bounds))):
        if not any(_is_same(code, one) for one in kept):
            kept.append(code)
    return sorted(kept, key=lambda one: one.bounds[1::-1])[:_MOST_CODES]


def _is_same(code: Code, other: Code) -> bool:
    if (code.format, code.text) == (other.format, other.text):
        return True
    one, two = code.bounds, other.bounds
    shared = (*map(max, one[:2], two[:2]), *map(min, one[2:], two[2:]))
    if shared[0] >= shared[2] or shared[1] >= shared[3]:
        return False
    return 2 * _area(shared) > min(_area(one), _area(two))


def _area(bounds: tuple[int, ...]) -> int:
    left, top, right, bottom = bounds
    return (right - left) * (bottom - top)


def _read(grey: Image, scale: float) -> list[Code]:
    import zxingcpp

    formats = [getattr(zxingcpp.BarcodeFormat, name) for name in _FORMATS]
    read = zxingcpp.read_barcodes(grey, formats=formats, return_errors=True)
    return [code for one in read if (code := _code(one, scale)) is not None]


def _code(read: Any, scale: float) -> Code | None:
    """A code of zxing-cpp as ours; None for one that was found and could not be read."""
    if not read.valid and not _is_whole(read):
        return None
    name, text, check = _identified(str(read.format), str(read.text), (read.extra or {}).get(_UPCE))
    is_gs1 = str(read.content_type).endswith("GS1")
    shown = text if check is not None or is_gs1 else _plain(read)
    corners = tuple(_corners(read.position, scale))
    return Code(name, plain_text(shown)[:_LONGEST_TEXT], check, corners, is_gs1)


def _is_whole(read: Any) -> bool:
    """Whether every digit of a code with an error was read, so that the check digit alone is wrong.

    Of the smaller formats such finds are pieces of something else.
    """
    return str(read.error.type).endswith("Checksum") and str(read.format) == "EAN-13"


def _plain(read: Any) -> str:
    """The text with its line ends as they are; zxing-cpp writes them as ``<CR><LF>``."""
    try:
        return bytes(read.bytes).decode()
    except UnicodeDecodeError:
        return str(read.text)


def _identified(name: str, text: str, upc_e: str | None) -> tuple[str, str, bool | None]:
    """Format, number and whether its check digit is right.

    zxing-cpp tells a UPC-A and a UPC-E as the EAN-13 that they stand for.
    """
    if upc_e is not None:
        return UPC_E, upc_e, is_valid_upc_e(upc_e)
    if name == "EAN-13" and text.startswith("0") and len(text) == 13:
        return "UPC-A", text[1:], is_valid(text[1:])
    if name == "ITF" and len(text) == 14:
        return "ITF-14", text, is_valid(text)
    if name in {"EAN-13", "EAN-8", "UPC-A"}:
        return name, text, is_valid(text)
    return name, text, None


def _corners(position: Any, scale: float) -> Iterator[tuple[int, int]]:
    corners = position.top_left, position.top_right, position.bottom_right, position.bottom_left
    for corner in corners:
        yield round(corner.x / scale), round(corner.y / scale)
