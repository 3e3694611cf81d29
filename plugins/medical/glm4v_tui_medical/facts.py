"""What is told of a DICOM image besides its pixels: never who, when or where."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from glm4v_tui.errors import ImageError
from glm4v_tui_medical.aspect import spacing
from glm4v_tui_medical.stored import photometric
from glm4v_tui_medical.terms import BODY_PARTS, VIEWS
from glm4v_tui_medical.window import file_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui_medical.header import Header

_PLANES = ("sagittal", "coronal", "axial")
"""By the axis of the patient that a slice's normal is nearest to: x, y, z."""
_AXIS = 0.9
"""Cosine from which a slice belongs to a plane; 26 degrees. Beyond it is oblique."""


def facts_of(header: Header) -> dict[str, Any]:
    """JSON values for tasks and records."""
    found: dict[str, Any] = {
        "modality": header.code("Modality") or None,
        "body_part": _term(header, "BodyPartExamined", BODY_PARTS),
        "view": _term(header, "ViewPosition", VIEWS),
        "plane": _plane(header),
        "photometric": photometric(header),
        "rows": header.count("Rows"),
        "columns": header.count("Columns"),
        "frames": header.frames,
        "frame": header.frame,
        "windows": [list(window) for window in file_windows(header)],
        "burned_in": {"YES": True, "NO": False}.get(header.code("BurnedInAnnotation")),
        "study": hashed(header, "StudyInstanceUID"),
        "series": hashed(header, "SeriesInstanceUID"),
    }
    with suppress(ImageError):  # a number that is none is no reason to refuse the picture
        found["slice_thickness_mm"] = header.number("SliceThickness", "PixelMeasuresSequence")
    with suppress(ImageError):
        found["pixel_spacing_mm"] = list(spacing(header) or ()) or None
    return found


def _term(header: Header, keyword: str, known: frozenset[str]) -> str | None:
    term = header.code(keyword)
    return term if term in known else None


def hashed(header: Header, keyword: str) -> str | None:
    """The first 12 digits of the SHA-256 of a UID: the same for images that belong together."""
    value = header.item(keyword)
    return hashlib.sha256(str(value).encode()).hexdigest()[:12] if value else None


def normal_of(orientation: Sequence[float]) -> tuple[float, float, float] | None:
    """The unit vector across a slice, from the six cosines of its rows and columns."""
    if len(orientation) != 6:
        return None
    (a, b, c), (d, e, f) = orientation[:3], orientation[3:]
    across = (b * f - c * e, c * d - a * f, a * e - b * d)
    length = sum(part * part for part in across) ** 0.5
    return None if length < 0.5 else (across[0] / length, across[1] / length, across[2] / length)


def _plane(header: Header) -> str | None:
    with suppress(ImageError):
        normal = normal_of(header.numbers("ImageOrientationPatient", "PlaneOrientationSequence"))
        if normal is not None:
            largest = max(range(3), key=lambda axis: abs(normal[axis]))
            return _PLANES[largest] if abs(normal[largest]) >= _AXIS else "oblique"
    return None
