"""Files that Pillow does not read, opened by readers that plugins bring.

A reader is asked for a file by its first bytes, or by its suffix where the format has no mark
of its own. Readers are installed once, by whoever loads the plugins, for the whole process, as
Pillow's own are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from glm4v_tui.errors import PluginError
from glm4v_tui.images import formats
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from PIL.Image import Image

_INFO = "glm4v_tui.facts"


class Facts(msgspec.Struct, frozen=True):
    """What is known of a picture besides its pixels. Nothing of where it lies."""

    width: int
    """Pixels of the upright picture, or of the part of it that is asked about."""
    height: int
    format: str
    """``JPEG``, ``PNG``, ``DICOM``, ..."""
    values: dict[str, Any] = {}
    """What the reader, or a task's ``examine``, has found; JSON values."""


@dataclass(frozen=True, slots=True)
class ReadImage:
    """What a reader makes of a file."""

    image: Image
    """Upright; mode L or RGB, or one channel of I;16, I or F in the unit that the values mean."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Facts for tasks; JSON values only."""
    window: tuple[float, float] | None = None
    """(center, width) to show deep values by, in their unit; None scales by their own range."""
    is_inverted: bool = False
    """Whether deep values are shown with the low ones bright."""
    frames: int = 1
    frame: int = 0
    """Which of them this is, counted from 0."""
    notes: tuple[str, ...] = ()
    """What was done to the picture, in words."""


@dataclass(frozen=True, slots=True)
class ImageReader:
    """A format.

    What its functions raise becomes an error for the user. An ``ImageError`` of ``read`` is shown
    with the file's name before its body, which begins as a sentence goes on: ``is a report.``
    """

    name: str
    """As ``Facts.format`` tells it."""
    suffixes: tuple[str, ...]
    """Lower case, with their dots: files that lists offer."""
    read: Callable[[BinaryIO, int | None], ReadImage]
    """Gets the open file at its beginning and the frame that is wanted, counted from 0; None for
    the one that stands best for the whole."""
    magic: tuple[tuple[int, bytes], ...] = ()
    """(offset, bytes), any of which marks a file of this format; within the first 1,024 bytes."""
    order: Callable[[Sequence[Path]], Sequence[Sequence[Path]]] | None = None
    """Tells apart which files of this format belong together (the slices of a scan), each series
    in its own order, and leaves out what holds no image. None where there is no order but that of
    names."""


_installed: tuple[ImageReader, ...] = ()


def install_readers(readers: Iterable[ImageReader]) -> None:
    """Let these readers, and no others, open files from now on."""
    global _installed
    _installed = tuple(readers)
    formats.offer_suffixes(suffix for reader in _installed for suffix in reader.suffixes)


def reader_for(head: bytes, suffix: str) -> ImageReader | None:
    """The reader of a file with these first bytes and this suffix.

    A suffix counts only where the bytes are of no format that Pillow reads: a PNG is a PNG,
    whatever it is called.
    """
    for reader in _installed:
        if any(head.startswith(mark, offset) for offset, mark in reader.magic):
            return reader
    if formats.begins_like_image(head):
        return None
    return next((reader for reader in _installed if suffix.lower() in reader.suffixes), None)


def installed_readers() -> tuple[ImageReader, ...]:
    return _installed


def opened_by(reader: ImageReader, file: BinaryIO, frame: int | None) -> Image:
    """The picture that a reader makes of a file, in the form of one that Pillow has opened.

    Raises:
        PluginError: what the reader gives is not what it is to give.
        Exception: whatever the reader raises.
    """
    try:
        read = reader.read(file, frame)
    except SystemExit as error:
        raise RuntimeError("its reader wanted to end the program") from error
    _check_read(reader, read)
    image = read.image
    image.format = reader.name
    image.info[_INFO] = read
    return image


def _check_read(reader: ImageReader, read: object) -> None:
    from PIL.Image import Image

    reason = ""
    if not isinstance(read, ReadImage) or not isinstance(read.image, Image):
        reason = "What it gives is no ReadImage with a picture."
    else:
        try:
            msgspec.json.encode(dict(read.values))
        except (TypeError, ValueError) as error:
            reason = f"Its facts are no JSON values: {plain_line(str(error))}."
    if reason:
        raise PluginError(
            f"The reader of {plain_line(reader.name)} files is faulty", reason, "Tell its author."
        )


def read_of(image: Image) -> ReadImage | None:
    """What the plugin's reader said of this picture; None when Pillow has read it."""
    read: ReadImage | None = image.info.get(_INFO)
    return read


def facts_of(image: Image, width: int, height: int) -> Facts:
    """The facts of a picture, or of a part of it of this size."""
    read = read_of(image)
    return Facts(width, height, image.format or "?", dict(read.values) if read else {})
