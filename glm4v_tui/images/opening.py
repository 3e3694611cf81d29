"""Open, check, turn upright, reduce: a path -> what the model will see."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.chat import Attachment, Box
from glm4v_tui.errors import ImageChangedError, ImageError
from glm4v_tui.images.files import regular_file
from glm4v_tui.images.orientation import (
    is_turned,
    orientation,
    stored_box,
    stored_size,
    turn_upright,
    upright_size,
)
from glm4v_tui.images.pixels import eight_bit, flattened, has_deep_color, header_note
from glm4v_tui.images.readers import Facts, facts_of, read_of
from glm4v_tui.images.reading import picture
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedReader

    from PIL.Image import Image

    Fit = Callable[[int, int], tuple[int, int]]
    """The size wanted for a part of (width, height) pixels; never a larger one."""

MAX_MODEL_PIXELS = 9_633_792
"""The largest image budget in the GLM-4V family's processor settings (``longest_edge``): more
pixels would be sent to the model process only to be thrown away there."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the header of an image file says."""

    path: Path
    format: str
    """The true one, whatever the suffix: ``JPEG``, ``PNG``, ..."""
    width: int
    """Pixels of the upright image."""
    height: int
    mode: str
    """Pillow's name of the pixel format in the file: ``RGB``, ``I;16``, ``CMYK``, ..."""
    bytes: int
    frames: int
    """Frames of an animation or pages of a document; 1 for a plain picture."""
    notes: tuple[str, ...]
    """What will be done to it on the way to the model, as far as the header tells."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a task does to a picture before the model sees it, in place of the usual."""

    key: str
    """Says what is done, wholly: the same key, the same pixels. ``Attachment.variant``."""
    apply: Callable[[Image, Facts], Image | None]
    """Gets the upright picture as its reader gave it, deep values and all; returns any picture
    that Pillow converts to RGB, or None to leave this one as it is."""


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """A picture as the model will see it: upright 8-bit RGB, at most ``max_pixels``.

    ``attachment.width`` and ``height`` are those before the reduction.
    """

    image: Image
    attachment: Attachment
    facts: Facts


def fit_pixels(width: int, height: int, max_pixels: int = MAX_MODEL_PIXELS) -> tuple[int, int]:
    """The size of the same shape that has at most ``max_pixels``; never a larger one."""
    scale = math.sqrt(max_pixels / (width * height))
    if scale >= 1.0:
        return width, height
    wide = min(max(1, int(width * scale)), max_pixels)
    return wide, max(1, min(int(height * scale), max_pixels // wide))


def inspect(path: Path) -> ImageFacts:
    """Read the header only.

    Raises:
        ImageError: One of its kinds, saying which.
    """
    with regular_file(path) as file, picture(path, file) as image:
        width, height = upright_size(image)
        notes = _notes(image)
        if (mode_note := header_note(image)) is not None:
            notes.append(mode_note)
        if (reduced := fit_pixels(width, height)) != (width, height):
            notes.append(f"will be reduced to {reduced[0]}x{reduced[1]}")
        return ImageFacts(
            path=path,
            format=_format(image),
            width=width,
            height=height,
            mode=image.mode,
            bytes=os.fstat(file.fileno()).st_size,
            frames=_frames(image),
            notes=tuple(notes),
        )


def open_image(
    path: Path,
    crop: Box | None = None,
    max_pixels: int = MAX_MODEL_PIXELS,
    preparation: Preparation | None = None,
    frame: int | None = None,
) -> OpenedImage:
    """Decode what the model will see.

    Args:
        path: A regular file.
        crop: The part wanted, in pixels of the whole upright image; cut to its borders.
        max_pixels: A larger picture is reduced to at most this many, and a note says so.
        preparation: What a task does to it; is given the crop only.
        frame: Of several, counted from 0; None for the one that stands for the whole.

    Raises:
        ImageError: One of its kinds, saying which.
    """
    path = path.absolute()  # links stay: the name as the user knows it
    with regular_file(path) as file:
        return _open(path, file, _digest(file), crop, max_pixels, preparation, frame)


def check_unchanged(attachment: Attachment) -> None:
    """Read an attached file again, without decoding it.

    Raises:
        ImageChangedError: The file has other contents than when it was attached.
        ImageError: Any other of its kinds.
    """
    path = Path(attachment.path)
    with regular_file(path) as file:
        if _digest(file) != attachment.digest:
            raise _changed(path)


def reopen(
    attachment: Attachment,
    max_pixels: int = MAX_MODEL_PIXELS,
    preparation: Preparation | None = None,
) -> Image:
    """Decode an attached image again.

    Args:
        preparation: The one whose key is ``attachment.variant``.

    Raises:
        ImageChangedError: The file has other contents than when it was attached.
        ImageError: Any other of its kinds.
    """
    path = Path(attachment.path)
    with regular_file(path) as file:
        digest = _digest(file)
        if digest != attachment.digest:
            raise _changed(path)
        frame = attachment.frame
        return _open(path, file, digest, attachment.crop, max_pixels, preparation, frame).image


def thumbnail(
    path: Path,
    max_width: int,
    max_height: int,
    crop: Box | None = None,
    preparation: Preparation | None = None,
    frame: int | None = None,
) -> Image:
    """Decode a small upright RGB picture that fits into the box, as fast as the format allows.

    Raises:
        ImageError: One of its kinds, saying which.
    """

    def fit(width: int, height: int) -> tuple[int, int]:
        scale = min(1.0, max_width / width, max_height / height)
        return max(1, round(width * scale)), max(1, round(height * scale))

    with regular_file(path) as file, picture(path, file, frame) as image:
        box = _inside(crop, image)
        if preparation is not None:
            return _prepared(image, box, fit, [], preparation)
        return _decoded(image, box, fit, [])


def _open(
    path: Path,
    file: BufferedReader,
    digest: str,
    crop: Box | None,
    max_pixels: int,
    preparation: Preparation | None,
    frame: int | None,
) -> OpenedImage:
    def fit(width: int, height: int) -> tuple[int, int]:
        return fit_pixels(width, height, max_pixels)

    before = os.fstat(file.fileno())
    with picture(path, file, frame) as image:
        full = upright_size(image)
        box = _inside(crop, image)
        facts = facts_of(image, box.width, box.height)
        notes = _notes(image)
        if preparation is None:
            seen = _decoded(image, box, fit, notes)
        else:
            seen = _prepared(image, box, fit, notes, preparation)
    after = os.fstat(file.fileno())
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise _changed(path)  # written to while it was read: the digest is not of these pixels
    if preparation is None and seen.size != (box.width, box.height):
        notes.append(f"reduced from {box.width}x{box.height} to {seen.width}x{seen.height}")
    attachment = Attachment(
        path=str(path),
        digest=digest,
        width=box.width,
        height=box.height,
        crop=None if crop is None else box,
        notes=tuple(notes),
        variant="" if preparation is None else preparation.key,
        frame=frame,
        whole=None if crop is None else full,
    )
    return OpenedImage(seen, attachment, facts)


def _decoded(image: Image, box: Box, fit: Fit, notes: list[str]) -> Image:
    """Decode, convert, cut, reduce and turn; adds what was done to ``notes``."""
    from PIL.Image import Resampling

    full, turned = upright_size(image), orientation(image)
    size = stored_size(fit(box.width, box.height), turned)
    scale = max(size) / max(box.width, box.height)
    # JPEG can be decoded at 1/2, 1/4, 1/8 of its size; it never gives less than is asked for.
    image.draft(None, (math.ceil(image.width * scale), math.ceil(image.height * scale)))
    image.load()
    part = eight_bit(image, notes)
    if (box.width, box.height) != full:
        part = part.crop(stored_box(box, full, part.size, turned))
    if part.width > size[0] or part.height > size[1]:
        part = part.resize(size, Resampling.BICUBIC, reducing_gap=2.0)
    return flattened(turn_upright(part, turned), notes)


def _prepared(
    image: Image, box: Box, fit: Fit, notes: list[str], preparation: Preparation
) -> Image:
    """The same in the way of a task. The picture is decoded at its full size."""
    from PIL.Image import Resampling

    full, turned = upright_size(image), orientation(image)
    image.load()
    part = image.crop(stored_box(box, full, image.size, turned))
    part = turn_upright(part, turned)
    if read_of(image) is not None:
        part.info = image.info  # the window goes with it
    made = preparation.apply(part, facts_of(image, box.width, box.height))
    seen = flattened(eight_bit(part if made is None else made, notes), notes)
    size = fit(*seen.size)
    return seen if seen.size == size else seen.resize(size, Resampling.BICUBIC, reducing_gap=2.0)


def _inside(crop: Box | None, image: Image) -> Box:
    """The crop, cut to the image's borders."""
    width, height = upright_size(image)
    if crop is None:
        return Box(0, 0, width, height)
    box = Box(max(0, crop.left), max(0, crop.top), min(width, crop.right), min(height, crop.bottom))
    if box.width < 1 or box.height < 1:
        raise ImageError(
            "The crop lies outside of the image",
            f"Columns {crop.left} to {crop.right}, rows {crop.top} to {crop.bottom} of an image"
            f" of {width}x{height} pixels.",
            "Choose the part again.",
        )
    return box


def _notes(image: Image) -> list[str]:
    """What the header tells and decoding does not. To be called before the image is loaded."""
    if (read := read_of(image)) is not None:
        return list(read.notes)
    notes = []
    if (frames := _frames(image)) > 1:
        what = "pages" if _format(image) == "TIFF" else "frames of an animation"
        notes.append(f"first of {frames} {what}")
    if is_turned(image):
        notes.append("turned upright")
    if has_deep_color(image):
        notes.append("16-bit color: the upper 8 bits of each channel")
    return notes


def _format(image: Image) -> str:
    name = image.format or "?"
    return "JPEG" if name == "MPO" else name  # a phone's JPEG with a second picture behind it


def _frames(image: Image) -> int:
    if (read := read_of(image)) is not None:
        return read.frames
    return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))


def _digest(file: BufferedReader) -> str:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def _changed(path: Path) -> ImageChangedError:
    return ImageChangedError(
        "The image file has changed",
        f"{plain_line(str(path))} is not the file that was attached.",
        "Attach it again to ask about what it holds now.",
    )
