"""The header of a DICOM file: only what an image needs is read, so that nothing of a patient is
at hand that could get out."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

from glm4v_tui_medical import refusals

if TYPE_CHECKING:
    from pydicom import Dataset

DEFLATED = "1.2.840.10008.1.2.1.99"
_IMPLICIT, _EXPLICIT, _BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
MAX_INFLATED = 1 << 30
"""Bytes that a deflated file may have once unpacked."""
_CHUNK = 1 << 20

KEYWORDS = (
    *("SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "ImageType"),
    *("BodyPartExamined", "ViewPosition", "InstanceNumber", "SliceThickness"),
    *("ImageOrientationPatient", "BurnedInAnnotation", "Units"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PlanarConfiguration"),
    *("PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "PixelPresentation"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *(f"{color}PaletteColorLookupTable{part}"
      for color in ("Red", "Green", "Blue") for part in ("Descriptor", "Data")),
    *(f"Segmented{color}PaletteColorLookupTableData" for color in ("Red", "Green", "Blue")),
)  # fmt: skip
"""No name, no number, no date of a patient, a visit or a place."""


@dataclass(frozen=True)
class Header:
    """What the file says of its image, without the pixels."""

    dataset: Dataset
    syntax: str
    """UID of the transfer syntax; guessed from the contents where the file names none."""
    data_at: int | None
    """Where the element with the pixels begins; None where there is none, or in a deflated file."""
    has_pixels: bool
    frame: int = 0
    """The frame that values are asked for, counted from 0."""

    def item(self, keyword: str, group: str = "") -> Any:
        """A value of this frame, or None.

        Args:
            group: The functional group that holds it in a multi-frame file; see DICOM PS3.3
                C.7.6.16. The frame's own goes before the shared one and the plain attribute.
        """
        for holder in (*self._functional(group), self.dataset):
            value = holder.get(keyword)
            if value is not None and value != "":
                return value
        return None

    def numbers(self, keyword: str, group: str = "") -> tuple[float, ...]:
        """The numbers of an attribute, none when it is absent.

        Raises:
            ImageTruncatedError: They are no finite numbers.
        """
        try:
            value = self.item(keyword, group)
            several = value is not None and hasattr(value, "__iter__")
            found = tuple(map(float, value if several else () if value is None else (value,)))
        except (ValueError, TypeError, ArithmeticError) as error:
            raise refusals.damaged(f"its {keyword} is no number") from error
        if not all(map(math.isfinite, found)):
            raise refusals.damaged(f"its {keyword} is no number")
        return found

    def number(self, keyword: str, group: str = "") -> float | None:
        """The first of them."""
        return next(iter(self.numbers(keyword, group)), None)

    def count(self, keyword: str, default: int = 0) -> int:
        """A whole number that is not negative."""
        value = self.number(keyword)
        if value is None:
            return default
        if value < 0 or value != int(value):
            raise refusals.damaged(f"its {keyword} is no count")
        return int(value)

    def code(self, keyword: str, group: str = "") -> str:
        """A code such as ``CT``: capital letters, digits and ``_`` only, at most 16."""
        with suppress(ValueError, TypeError):
            value = self.item(keyword, group)
            if isinstance(value, str):
                return re.sub(r"[^A-Z0-9_ /%]", "", value.upper())[:16].strip()
        return ""

    def sequence(self, keyword: str, group: str = "") -> Dataset | None:
        """The first item of a sequence, or None."""
        found = self.item(keyword, group)
        return found[0] if found else None

    @property
    def is_signed(self) -> bool:
        return self.count("PixelRepresentation") == 1

    @property
    def data_header(self) -> int:
        """Bytes of the pixel element before its value: tag, VR where it is explicit, length."""
        return 8 if self.dataset.original_encoding[0] else 12

    @property
    def is_big_endian(self) -> bool:
        return self.syntax == _BIG

    @property
    def frames(self) -> int:
        return max(1, self.count("NumberOfFrames", 1))

    @property
    def syntax_name(self) -> str:
        """Its name where DICOM knows it."""
        from pydicom.uid import UID

        name = UID(self.syntax).name
        return name if name != self.syntax else "of a vendor"

    def _functional(self, group: str) -> list[Dataset]:
        found = []
        if group:
            own = self.dataset.get("PerFrameFunctionalGroupsSequence") or ()
            shared = self.dataset.get("SharedFunctionalGroupsSequence") or ()
            holders = [own[self.frame]] if self.frame < len(own) else []
            for holder in [*holders, *shared[:1]]:
                found += list(holder.get(group) or ())[:1]
        return found


@cache
def quiet() -> None:
    """Keep pydicom's warnings, which may quote the file, off the screen and out of the log."""
    import warnings

    from pydicom import config

    warnings.filterwarnings("ignore", module=r"(pydicom|pylibjpeg|openjpeg|libjpeg|jpeg_ls)\b")
    config.settings.reading_validation_mode = config.IGNORE


def read_header(file: BinaryIO) -> Header:
    """Read up to the pixels.

    Args:
        file: At its beginning.

    Raises:
        NotAnImageError: It is no DICOM file.
        ImageTooLargeError: It is deflated and would unpack to a huge file.
    """
    import pydicom

    quiet()
    head = file.read(1024)
    if DEFLATED.encode() in head:
        _check_inflated(file)
    file.seek(0)
    dataset = pydicom.dcmread(
        file, force=True, stop_before_pixels=True, specific_tags=list(KEYWORDS)
    )
    if head[128:132] != b"DICM" and not any(
        key in dataset for key in ("SOPClassUID", "Modality", "Rows")
    ):
        raise refusals.not_dicom()
    syntax = _syntax(dataset)
    if syntax == DEFLATED:
        return Header(dataset, syntax, None, "Rows" in dataset)
    data_at = file.tell()
    has_pixels = bool(file.read(8))
    return Header(dataset, syntax, data_at if has_pixels else None, has_pixels)


def _syntax(dataset: Dataset) -> str:
    named = dataset.file_meta.get("TransferSyntaxUID")
    if named:
        return str(named)
    is_implicit, is_little = dataset.original_encoding
    return _IMPLICIT if is_implicit else _EXPLICIT if is_little else _BIG


def _check_inflated(file: BinaryIO) -> None:
    """Unpack a deflated file once without keeping anything, and stop when it becomes huge."""
    import zlib

    file.seek(_meta_end(file))
    unpacking, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while chunk := file.read(_CHUNK):
        while chunk:
            total += len(unpacking.decompress(chunk, _CHUNK))
            if total > MAX_INFLATED:
                raise refusals.inflated(MAX_INFLATED)
            chunk = unpacking.unconsumed_tail
    file.seek(0)


def _meta_end(file: BinaryIO) -> int:
    """Where the file meta information ends: its first element, (0002,0000) UL, tells its length."""
    file.seek(0)
    start = 132 if file.read(132)[128:] == b"DICM" else 0
    file.seek(start)
    element = file.read(12)
    if element[:8] != b"\x02\0\0\0UL\x04\0" or len(element) < 12:
        raise refusals.damaged("it does not tell the length of its file meta information")
    return start + 12 + int.from_bytes(element[8:], "little")
