"""The size that a compressed frame itself declares. Decoders allocate by it, so it is held against
the header's size first."""

from __future__ import annotations

from struct import unpack_from

_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""Markers that begin a frame in JPEG (SOFn) and JPEG-LS (SOF55); C4, C8, CC are others."""
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length: TEM, RSTn, SOI."""


_JP2 = b"\0\0\0\x0cjP  "


def is_boxed(code: bytes) -> bool:
    """Whether a JPEG 2000 codestream comes in the boxes of a JP2 file."""
    return code.startswith(_JP2)


def declared_size(code: bytes) -> tuple[int, int] | None:
    """(width, height) of a JPEG, JPEG-LS or JPEG 2000 codestream; None where none is found.

    Markers as in ITU-T T.81 B.1, T.87 C.1 and T.800 A.5.1.
    """
    if code[:4] == b"\xff\x4f\xff\x51" and len(code) >= 24:
        right, bottom, left, top = unpack_from(">4I", code, 8)
        return right - left, bottom - top
    if is_boxed(code):
        return _boxed_size(code)
    return _jpeg_size(code) if code[:2] == b"\xff\xd8" else None


def is_ended(code: bytes) -> bool:
    """Whether the codestream has its end mark, EOI or EOC, but for padding behind it."""
    return code.rstrip(b"\0").endswith(b"\xff\xd9")


def _boxed_size(code: bytes) -> tuple[int, int] | None:
    """Of a JP2 file, whose boxes begin with their length and kind (T.800 I.4)."""
    at = 12
    while at + 8 <= len(code):
        if code[at + 4 : at + 8] == b"jp2c":
            inner = code[at + 8 :]
            return None if is_boxed(inner) else declared_size(inner)
        length = int.from_bytes(code[at : at + 4], "big")
        if length < 8:
            return None
        at += length
    return None


def _jpeg_size(code: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(code) and code[at] == 0xFF:
        marker = code[at + 1]
        if marker in _FRAMES:
            height, width = unpack_from(">2H", code, at + 5)
            return width, height
        if marker == 0xFF:  # fill
            at += 1
        elif marker in _BARE:
            at += 2
        else:
            at += 2 + int.from_bytes(code[at + 2 : at + 4], "big")
    return None
