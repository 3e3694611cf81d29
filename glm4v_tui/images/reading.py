"""Pillow on a leash: which readers see a file, how large it may be, what its failures mean."""

from __future__ import annotations

import importlib
import warnings
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

from glm4v_tui.errors import (
    GlmError,
    ImageError,
    ImageTooLargeError,
    ImageTruncatedError,
    NotAnImageError,
)
from glm4v_tui.images import formats
from glm4v_tui.images.files import os_error
from glm4v_tui.images.readers import opened_by, reader_for
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

    from PIL.Image import Image

    from glm4v_tui.images.readers import ImageReader

MAX_SOURCE_PIXELS = 200_000_000
"""Above this a file is refused: decoded it would take over 600 MB. 12000 x 9000 is about half."""


@contextmanager
def picture(path: Path, file: BufferedReader, frame: int | None = None) -> Iterator[Image]:
    """Read the header; what fails in there or in the body, decoding included, becomes an error
    for the user.

    Args:
        frame: Of several, counted from 0; None for the one that stands for the whole.

    Raises:
        NotAnImageError: The contents are of another kind.
        ImageTruncatedError: They are an image's, but not all of it, or damaged.
        ImageTooLargeError: Too many pixels, or more than the memory there is.
        ImageError: The disk or network failed.
    """
    head = file.read(formats.HEAD_BYTES)
    file.seek(0)
    reader = reader_for(head, path.suffix)
    try:
        opened = _opened(file) if reader is None else _read(path, reader, file, frame)
        with opened as image:
            _check(path, image)
            if reader is None and frame:
                image.seek(frame)
            yield image
    except GlmError:  # also of a task that prepares the picture
        raise
    except Exception as error:
        if reader is not None:
            raise _unread(path, reader, error) from error
        raise _explained(path, head, error) from error


def _check(path: Path, image: Image) -> None:
    if image.width * image.height > MAX_SOURCE_PIXELS:
        raise _too_large(path, f"{image.width}x{image.height} pixels")
    if path.suffix.lower() in formats.RAW_SUFFIXES:
        raise _foreign(path, formats.RAW)


def _explained(path: Path, head: bytes, error: Exception) -> ImageError:
    """Say what it means; anything may come out of a decoder that reads a damaged file."""
    from PIL.Image import DecompressionBombError

    if isinstance(error, DecompressionBombError | MemoryError):
        return _too_large(path, "far more pixels")
    if isinstance(error, OSError) and error.errno is not None:
        return os_error(path, error)
    if (foreign := formats.foreign_kind(head)) is not None:
        return _foreign(path, foreign)
    if formats.begins_like_image(head):
        return _damaged(path, error)
    return _not_an_image(path, head)


@cache
def _readers() -> tuple[str, ...]:
    """The readers that this Pillow has, of those that are let near a file."""
    import PIL.Image

    PIL.Image.MAX_IMAGE_PIXELS = MAX_SOURCE_PIXELS  # refused at twice this by Pillow, at once by us
    warnings.filterwarnings("ignore", module=r"PIL\.")  # they would land on standard error
    with suppress(ImportError):  # HEIC is then refused, with the way to get the reader
        importlib.import_module("pillow_heif").register_heif_opener()
    PIL.Image.init()
    return tuple(name for name in formats.READERS if name in PIL.Image.OPEN)


def _opened(file: BufferedReader) -> Image:
    readers = _readers()
    import PIL.Image

    return PIL.Image.open(file, formats=readers)


def _read(path: Path, reader: ImageReader, file: BufferedReader, frame: int | None) -> Image:
    """Let a plugin's reader read; its own errors get the name of the file, which it is not told."""
    try:
        return opened_by(reader, file, frame)
    except ImageError as error:
        body = f"{plain_line(str(path))} {error.body}"
        raise type(error)(error.title, body, error.remedy) from error


def _unread(path: Path, reader: ImageReader, error: Exception) -> ImageError:
    if isinstance(error, MemoryError):
        return _too_large(path, "far more pixels")
    if isinstance(error, OSError) and error.errno is not None:
        return os_error(path, error)
    return _damaged(path, error, f"begins like a {reader.name} file")


def _too_large(path: Path, size: str) -> ImageTooLargeError:
    return ImageTooLargeError(
        "The image is too large",
        f"{plain_line(str(path))} has {size}; the limit is {MAX_SOURCE_PIXELS // 10**6} million.",
        "Reduce it or cut out the part you need.",
    )


def _foreign(path: Path, foreign: formats.Foreign) -> NotAnImageError:
    name = plain_line(str(path))
    return NotAnImageError("Not a readable image", f"{name} is {foreign.kind}.", foreign.remedy)


def _damaged(
    path: Path, error: Exception, looks: str = "begins like an image"
) -> ImageTruncatedError:
    name, reason = plain_line(str(path)), plain_line(str(error)) or type(error).__name__
    return ImageTruncatedError(
        "The image is cut off or damaged",
        f"{name} {looks} but cannot be decoded to its end ({reason}).",
        "Copy it again; the transfer may have stopped early.",
    )


def _not_an_image(path: Path, head: bytes) -> NotAnImageError:
    what = "holds text" if formats.looks_like_text(head) else "is of an unknown kind"
    return NotAnImageError(
        "Not an image",
        f"{plain_line(str(path))} {what}.",
        "Images are JPEG, PNG, WebP, TIFF, BMP, GIF, PPM, AVIF or JPEG 2000 files.",
    )
