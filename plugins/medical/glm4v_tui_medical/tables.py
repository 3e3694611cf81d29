"""Lookup tables of DICOM: of the modality, of the values of interest, of palettes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glm4v_tui_medical import refusals

if TYPE_CHECKING:
    import numpy as np
    from pydicom import Dataset

    from glm4v_tui_medical.header import Header


def looked_up(
    values: np.ndarray[Any, Any], item: Dataset, header: Header
) -> tuple[np.ndarray[Any, Any], int]:
    """Values through the table of a sequence's item (PS3.3 C.11.1.1.1 and C.11.2.1.1).

    Returns:
        The table's entries as float32, of the values' shape, and how many bits entries have.

    Raises:
        ImageTruncatedError: The table is not as it declares.
    """
    import numpy as np

    try:
        length, first, bits = (int(number) for number in item.LUTDescriptor)
        table = _entries(item.LUTData, length or 1 << 16, header)
    except (AttributeError, TypeError, ValueError) as error:
        raise refusals.damaged("a lookup table in it is not as it declares") from error
    if header.is_signed and first >= 1 << 15:  # its bits read as those of an unsigned number
        first -= 1 << 16
    places = np.rint(values).astype(np.int64) - first
    return table[np.clip(places, 0, len(table) - 1)].astype(np.float32), bits


def _entries(data: Any, length: int, header: Header) -> np.ndarray[Any, Any]:
    import numpy as np

    if not isinstance(data, bytes):
        table = np.atleast_1d(np.asarray(data, np.uint16))
    elif len(data) < 2 * length:
        table = np.frombuffer(data, np.uint8)
    else:
        table = np.frombuffer(data, ">u2" if header.is_big_endian else "<u2")
    if len(table) < length:
        raise ValueError(f"{len(table)} of {length} entries")
    return table[:length]
