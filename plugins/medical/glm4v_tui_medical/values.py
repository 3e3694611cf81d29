"""Stored values -> values in their unit: Hounsfield units for CT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glm4v_tui_medical.tables import looked_up

if TYPE_CHECKING:
    import numpy as np

    from glm4v_tui_medical.header import Header

HOUNSFIELD = "HU"
_ROWS = 512
_PARTS = ("Slope", "Intercept")
_TRANSFORM = "PixelValueTransformationSequence"


@dataclass(frozen=True)
class Values:
    """One frame of gray values."""

    array: np.ndarray[Any, Any]
    """(rows, columns), float32."""
    unit: str | None
    """``HU``, ``BQML``, ...; None where the file does not say."""
    is_padded: bool = False
    """Whether there is padding; it has got the value that is shown darkest."""

    @property
    def is_hounsfield(self) -> bool:
        return self.unit == HOUNSFIELD


def modality_values(stored: np.ndarray[Any, Any], header: Header, *, is_inverted: bool) -> Values:
    """The modality's transformation (PS3.3 C.11.1), with padding made the darkest value.

    Args:
        stored: (rows, columns), as the file stores them.
        is_inverted: Whether high values are shown dark.
    """
    padding = _padding(stored, header)
    table = header.sequence("ModalityLUTSequence")
    array = _rescaled(stored, header) if table is None else looked_up(stored, table, header)[0]
    is_padded = padding is not None and bool(padding.any()) and not bool(padding.all())
    if padding is not None and is_padded:
        image = array[~padding]
        array[padding] = image.max() if is_inverted else image.min()
    return Values(array, unit_of(header), is_padded)


def unit_of(header: Header) -> str | None:
    """What values mean after the modality's transformation.

    For CT it is Hounsfield units where the file transforms its values and names no other unit
    (US is "unspecified"); not for localizers, whose values are projections (PS3.3 C.8.2.1.1.3).
    """
    table = header.sequence("ModalityLUTSequence")
    if table is not None:
        named = str(table.get("ModalityLUTType") or "")[:16].upper()
        return named if named in (HOUNSFIELD, "OD") else None
    named = header.code("RescaleType", _TRANSFORM)
    slope = header.number("RescaleSlope", _TRANSFORM)
    if header.code("Modality") == "CT" and slope is not None and named in ("", "US", HOUNSFIELD):
        return None if _is_localizer(header) and named != HOUNSFIELD else HOUNSFIELD
    if named in ("", "US"):
        return header.code("Units") or None
    return named


def is_transformed(header: Header) -> bool:
    """Whether values differ from those stored."""
    slope, intercept = (header.number(f"Rescale{part}", _TRANSFORM) for part in _PARTS)
    has_table = header.sequence("ModalityLUTSequence") is not None
    return has_table or slope not in (None, 1.0) or bool(intercept)


def _is_localizer(header: Header) -> bool:
    kinds = header.item("ImageType") or ()
    return "LOCALIZER" in [str(kind).upper() for kind in kinds]


def _rescaled(stored: np.ndarray[Any, Any], header: Header) -> np.ndarray[Any, Any]:
    """slope * stored + intercept."""
    import numpy as np

    slope, intercept = (header.number(f"Rescale{part}", _TRANSFORM) for part in _PARTS)
    if not is_transformed(header):
        return stored.astype(np.float32)
    out = np.empty(stored.shape, np.float32)
    for top in range(0, len(stored), _ROWS):  # in pieces: a float64 copy of all of it is large
        part = stored[top : top + _ROWS].astype(np.float64)
        out[top : top + _ROWS] = part * (1.0 if slope is None else slope) + (intercept or 0.0)
    return out


def _padding(stored: np.ndarray[Any, Any], header: Header) -> np.ndarray[Any, Any] | None:
    """Where the file says that there is no image (PS3.3 C.7.5.1.1.2)."""
    ends = header.numbers("PixelPaddingValue")
    if not ends or stored.dtype.kind == "f":
        return None
    ends += header.numbers("PixelPaddingRangeLimit")
    bits = 8 * stored.dtype.itemsize
    if header.is_signed:  # its bits may have been read as those of an unsigned number
        ends = tuple(end - (1 << bits) if end >= 1 << (bits - 1) else end for end in ends)
    else:
        ends = tuple(end + (1 << bits) if end < 0 else end for end in ends)
    padding: np.ndarray[Any, Any] = (stored >= min(ends)) & (stored <= max(ends))
    return padding
