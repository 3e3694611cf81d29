"""The reader of DICOM files, as the program meets it; pydicom is imported when a file is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from glm4v_tui import ImageReader, ReadImage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def read(file: BinaryIO, frame: int | None) -> ReadImage:
    """See :func:`glm4v_tui_medical.reading.read_dicom`."""
    from glm4v_tui_medical.reading import read_dicom

    return read_dicom(file, frame)


def order(paths: Sequence[Path]) -> list[list[Path]]:
    """See :func:`glm4v_tui_medical.order.series_of`."""
    from glm4v_tui_medical.order import series_of

    return series_of(paths)


DICOM = ImageReader(
    name="DICOM",
    suffixes=(".dcm", ".dicom"),
    read=read,
    magic=((128, b"DICM"),),
    order=order,
)
