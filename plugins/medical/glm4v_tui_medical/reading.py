"""A DICOM file -> a picture: header, stored values, values in their unit, how they are shown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

from glm4v_tui import ReadImage
from glm4v_tui.errors import ImageError
from glm4v_tui_medical import refusals
from glm4v_tui_medical.aspect import pixel_shape, square
from glm4v_tui_medical.color import eight_bits, from_palette
from glm4v_tui_medical.facts import facts_of
from glm4v_tui_medical.header import Header, read_header
from glm4v_tui_medical.stored import check, photometric, stored_frame
from glm4v_tui_medical.values import is_transformed, modality_values
from glm4v_tui_medical.window import shown

if TYPE_CHECKING:
    import numpy as np


def read_dicom(file: BinaryIO, frame: int | None) -> ReadImage:
    """Read one frame.

    Args:
        file: At its beginning.
        frame: Counted from 0; None for the middle one.

    Raises:
        ImageError: One of its kinds, saying why; its body goes on after the file's name.
    """
    try:
        return _read(file, frame)
    except (ImageError, MemoryError, OSError):
        raise
    except Exception as error:
        # Not in pydicom's own words: they may quote the file.
        raise refusals.damaged("its contents do not follow the form of DICOM") from error


def _read(file: BinaryIO, frame: int | None) -> ReadImage:
    header = read_header(file)
    header = replace(header, frame=header.frames // 2 if frame is None else frame)
    check(header)
    stored = stored_frame(file, header)
    kind = photometric(header)
    if stored.ndim == 3:
        read = _colored(eight_bits(stored, header))
    elif kind == "PALETTE COLOR":
        read = _colored(from_palette(stored, header))
    else:
        read = _gray(stored, header, is_inverted=kind == "MONOCHROME1")
    image, stretched = square(read.image, pixel_shape(header))
    notes = (*_notes(header), *read.notes, stretched)
    return replace(
        read,
        image=image,
        values=facts_of(header) | dict(read.values),
        frames=header.frames,
        frame=header.frame,
        notes=tuple(filter(None, notes)),
    )


def _colored(array: np.ndarray[Any, Any]) -> ReadImage:
    import PIL.Image

    return ReadImage(PIL.Image.fromarray(array), {"unit": None, "window": None})


def _gray(stored: np.ndarray[Any, Any], header: Header, *, is_inverted: bool) -> ReadImage:
    import PIL.Image

    values = modality_values(stored, header, is_inverted=is_inverted)
    seen = shown(values, header)
    facts = {
        "unit": values.unit,
        "window": None if seen.window is None else list(seen.window),
    }
    if seen.window is None and _is_made_for_showing(stored, header):
        array = seen.array.clip(0, 255).round().astype("uint8")
        return ReadImage(PIL.Image.fromarray(255 - array if is_inverted else array), facts)
    return ReadImage(
        PIL.Image.fromarray(seen.array),
        facts,
        window=seen.window,
        is_inverted=is_inverted,
        notes=(seen.note, "padding around the picture shown as black" if values.is_padded else ""),
    )


def _is_made_for_showing(stored: np.ndarray[Any, Any], header: Header) -> bool:
    """Whether black and white are the ends of 8 bits, not of the picture's own range."""
    is_full = stored.dtype == "uint8" and header.count("BitsStored", 8) == 8
    return is_full and not is_transformed(header)


def _notes(header: Header) -> tuple[str, ...]:
    notes = []
    if header.frames > 1:
        notes.append(f"frame {header.frame + 1} of {header.frames}")
    if header.code("BurnedInAnnotation") == "YES":
        notes.append("names or dates may be written in the picture")
    return tuple(notes)
