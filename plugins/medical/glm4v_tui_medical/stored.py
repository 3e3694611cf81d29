"""Stored values of one frame: decoded by pydicom and its plugins, nothing done to them yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from glm4v_tui.errors import ImageError
from glm4v_tui.images import MAX_SOURCE_PIXELS
from glm4v_tui_medical import refusals
from glm4v_tui_medical.codestream import declared_size, is_boxed, is_ended
from glm4v_tui_medical.header import KEYWORDS

if TYPE_CHECKING:
    import numpy as np
    from pydicom.pixels.decoders.base import Decoder

    from glm4v_tui_medical.header import Header

EXTRA = "'glm4v-tui[jpeg]'"
"""Brings pylibjpeg-libjpeg, which reads lossless and 12-bit JPEG."""
_WITH_EXTRA = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70))
_RLE = "1.2.840.10008.1.2.5"
"""Read by pydicom itself: the plugin in Rust that it would prefer panics over damaged data."""
_COLORS = (
    *("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"),
    *("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"),
)
_VIDEO_CODES = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))


def check(header: Header) -> None:
    """Refuse what cannot become a picture, before anything is allocated for it.

    Raises:
        ImageError: One of its kinds, saying why.
    """
    if not header.has_pixels or not header.count("Rows") or not header.count("Columns"):
        raise _no_image(header)
    rows, columns = header.count("Rows"), header.count("Columns")
    samples = header.count("SamplesPerPixel", 1)
    if rows * columns > MAX_SOURCE_PIXELS:
        raise refusals.too_large(columns, rows, MAX_SOURCE_PIXELS)
    if samples not in (1, 3):
        raise refusals.damaged(f"it declares {samples} samples for each pixel")
    if header.count("BitsAllocated") not in (1, 8, 16, 32, 64):
        raise refusals.damaged(f"it declares {header.count('BitsAllocated')} bits for each value")
    if photometric(header) not in _COLORS and header.syntax not in _VIDEO_CODES:
        raise refusals.damaged("its photometric interpretation is none that can be shown")
    if header.frame >= header.frames:
        raise refusals.no_such_frame(header.frame, header.frames)


def photometric(header: Header) -> str:
    """``MONOCHROME2``, ``RGB``, ..."""
    return header.code("PhotometricInterpretation")


def stored_frame(file: BinaryIO, header: Header) -> np.ndarray[Any, Any]:
    """The values of the header's frame.

    Returns:
        (rows, columns), or (rows, columns, 3) in RGB, of the type that the file stores.

    Raises:
        ImageError: It cannot be decoded, saying why.
    """
    decoder = _decoder(header)
    if decoder.is_encapsulated:
        _check_codestream(file, header)
    try:
        return _decoded(file, header, decoder)
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        if _lacks_extra(header, decoder):
            raise refusals.needs_package(header.syntax_name, EXTRA) from error
        raise refusals.damaged("its pixels do not decode to the size that it declares") from error


def _decoder(header: Header) -> Decoder:
    from pydicom.pixels import get_decoder

    try:
        decoder = get_decoder(header.syntax)
    except NotImplementedError as error:
        raise refusals.unsupported(header.syntax_name) from error
    if not decoder.is_available:
        install = EXTRA if header.syntax in _WITH_EXTRA else "glm4v-tui"
        raise refusals.needs_package(header.syntax_name, install)
    return decoder


def _lacks_extra(header: Header, decoder: Decoder) -> bool:
    return header.syntax in _WITH_EXTRA and "pylibjpeg" not in decoder.available_plugins


def _decoded(file: BinaryIO, header: Header, decoder: Decoder) -> np.ndarray[Any, Any]:
    import numpy as np
    import pydicom
    from pydicom.pixels import pixel_array

    if header.data_at is None:  # deflated: only the whole of it can be unpacked
        file.seek(0)
        whole = pydicom.dcmread(file, force=True, specific_tags=[*KEYWORDS, "PixelData"])
        _check_length(header, len(whole.get("PixelData", b"")))
        return np.asarray(pixel_array(whole, index=header.frame))
    plugin = "pydicom" if header.syntax == _RLE else ""
    if not decoder.is_encapsulated:
        _check_length(header, _bytes_there(file, header, header.data_at))
    file.seek(0)
    return np.asarray(
        pixel_array(
            file, index=header.frame, transfer_syntax_uid=header.syntax, decoding_plugin=plugin
        )
    )


def _bytes_there(file: BinaryIO, header: Header, data_at: int) -> int:
    """Bytes of uncompressed pixels: as many as the element has, but not more than the file."""
    file.seek(data_at + header.data_header - 4)
    length = int.from_bytes(file.read(4), "big" if header.is_big_endian else "little")
    return min(length, file.seek(0, 2) - data_at - header.data_header)


def _check_length(header: Header, there: int) -> None:
    """Say how much is missing of uncompressed pixels."""
    values = header.count("Rows") * header.count("Columns") * header.count("SamplesPerPixel", 1)
    bits = values * header.count("BitsAllocated")
    if photometric(header) == "YBR_FULL_422":
        bits = bits * 2 // 3
    if there < (needed := bits * (header.frame + 1) // 8):
        raise refusals.truncated(there, needed)


def _check_codestream(file: BinaryIO, header: Header) -> None:
    from pydicom.encaps import get_frame

    assert header.data_at is not None
    file.seek(header.data_at + header.data_header)
    try:
        code = get_frame(file, header.frame, number_of_frames=header.frames)
    except Exception as error:
        raise refusals.damaged("its compressed pixels cannot be told apart into frames") from error
    size = declared_size(code)
    if size is None and is_boxed(code):  # pydicom looks for them endlessly
        raise refusals.damaged("its compressed pixels are in boxes that cannot be read")
    if size is not None and size != (header.count("Columns"), header.count("Rows")):
        raise refusals.damaged("its compressed pixels have another size than its header says")
    # Decoders fill up what is missing without a word.
    if size is not None and not is_ended(code) and _is_cut(file, header.data_at):
        raise refusals.cut()


def _is_cut(file: BinaryIO, data_at: int) -> bool:
    """Whether the file ends before its compressed pixels do (PS3.5 A.4)."""
    end = file.seek(0, 2)
    at = data_at + 12
    while at + 8 <= end:
        file.seek(at)
        item = file.read(8)
        if item[:4] == b"\xfe\xff\xdd\xe0":
            return False
        at += 8 + int.from_bytes(item[4:], "little")
    return True


def _no_image(header: Header) -> ImageError:
    from pydicom.uid import UID

    if header.count("Rows") and header.count("Columns"):
        return refusals.without_pixels()
    meta = getattr(header.dataset, "file_meta", {})
    identity = UID(str(header.item("SOPClassUID") or meta.get("MediaStorageSOPClassUID") or ""))
    kind = identity.name if identity.keyword else header.code("Modality") or "unknown"
    return refusals.without_image(kind)
