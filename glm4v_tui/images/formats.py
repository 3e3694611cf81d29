"""What counts as an image: by its name in lists, by its first bytes when it is opened."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

IMAGE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp"),
        *(".dib", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".j2k", ".qoi", ".ico"),
    )
)
"""Suffixes, lower case, of files that lists offer as images, whatever plugins there are."""

RAW_SUFFIXES = frozenset(
    (
        *(".3fr", ".arw", ".cr2", ".cr3", ".dng", ".nef"),
        *(".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw"),
    )
)
"""Camera raw files. Many are TIFF in form, and a TIFF reader finds only a small preview in them."""

READERS = (
    *("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM"),
    *("AVIF", "JPEG2000", "QOI", "ICO", "HEIF"),
)
"""Pillow's readers that are let near a file. Left out: those that run another program (EPS) or
that take nearly any bytes for a picture (TGA, PCX)."""

HEAD_BYTES = 1024


_offered = IMAGE_SUFFIXES


def offer_suffixes(more: Iterable[str]) -> None:
    """Offer files with these suffixes too, in place of those offered by the last call."""
    global _offered
    _offered = IMAGE_SUFFIXES.union(more)


def offered_suffixes() -> frozenset[str]:
    """Lower case, with their dots: what lists offer, with what plugins read."""
    return _offered


def is_image_name(name: str) -> bool:
    """Whether a list should offer this file name as an image, in any case of the suffix."""
    return os.path.splitext(name)[1].lower() in _offered  # noqa: PTH122 - 100,000 of them


class Foreign(NamedTuple):
    """A kind of file that is known and cannot be opened."""

    kind: str
    remedy: str


_TO_PNG = "Save it as PNG or JPEG first"
_DICOM = Foreign("a DICOM file", f"{_TO_PNG}, for instance: dcmj2pnm --write-png IN.dcm OUT.png")
_HEIC = Foreign(
    "an HEIC picture (iPhone)",
    "Convert it (heif-convert IN.heic OUT.jpg), or install the reader: pip install pillow-heif",
)
RAW = Foreign("a camera's raw file", "Export it as JPEG or TIFF from your photo program.")
_VIDEO = Foreign("a video", "Take a frame of it: ffmpeg -i IN -frames:v 1 OUT.png")
_PDF = Foreign("a PDF document", "Turn a page into a picture: pdftoppm -png -r 150 IN.pdf OUT")
_SVG = Foreign("a vector drawing (SVG)", "Turn it into pixels: rsvg-convert IN.svg -o OUT.png")
_EPS = Foreign("a PostScript drawing", f"{_TO_PNG}.")
_ARCHIVE = Foreign("an archive", "Unpack it and pick an image inside.")

_FOREIGN: tuple[tuple[int, bytes, Foreign], ...] = (
    (128, b"DICM", _DICOM),
    *((4, b"ftyp" + brand, _HEIC) for brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")),
    (4, b"ftypavif", Foreign("an AVIF picture that this Pillow cannot read", f"{_TO_PNG}.")),
    (4, b"ftyp", _VIDEO),
    (0, b"\x1aE\xdf\xa3", _VIDEO),
    (8, b"AVI ", _VIDEO),
    (0, b"%PDF", _PDF),
    (0, b"%!PS", _EPS),
    (0, b"\xc5\xd0\xd3\xc6", _EPS),
    (0, b"PK\x03\x04", _ARCHIVE),
    (0, b"\x1f\x8b", _ARCHIVE),
    (0, b"8BPS", Foreign("a Photoshop document", f"{_TO_PNG}.")),
)

_SIGNATURES = (
    *(b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"qoif", b"\0\0\0\x0cjP", b"\xffO\xffQ", b"\0\0\1\0"),
)
_NETPBM = re.compile(rb"P[1-7fF]\s")


def foreign_kind(head: bytes) -> Foreign | None:
    """Name a file that no reader took, from its first bytes."""
    for offset, signature, foreign in _FOREIGN:
        if head.startswith(signature, offset):
            return foreign
    if b"<svg" in head.lower():
        return _SVG
    return None


def begins_like_image(head: bytes) -> bool:
    """Whether the first bytes are those of a format that the readers know."""
    if head.startswith(_SIGNATURES) or _NETPBM.match(head):
        return True
    return head.startswith(b"RIFF") and head.startswith(b"WEBP", 8)


def looks_like_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character cut at the end of what was read
    return True
