"""Safetensors files judged by their headers alone: no tensor is read, no model library needed.

A file is eight bytes of header length (little endian), a JSON header that gives every tensor its
dtype, shape and byte range, and the bytes. See https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_LENGTH = struct.Struct("<Q")
_MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""
_LFS_POINTER = b"version https://git-lfs"


_BITS = {
    "F64": 64, "I64": 64, "U64": 64, "C64": 64, "F32": 32, "I32": 32, "U32": 32,
    "F16": 16, "BF16": 16, "I16": 16, "U16": 16, "I8": 8, "U8": 8, "BOOL": 8,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}  # fmt: skip
"""Of an element, by the format's name of its dtype."""


class WeightFileError(Exception):
    """Why a weight file cannot be used, in words."""


class TruncatedError(WeightFileError):
    pass


class WeightFile(msgspec.Struct, frozen=True):
    """What the header of one safetensors file says."""

    tensors: dict[str, int]
    """Tensor name -> its bytes."""
    dtypes: dict[str, int]
    """Format's dtype name (``BF16``, ``F32``, ...) -> bytes stored in it."""
    parameters: int
    """Elements of all tensors."""

    @property
    def weight_bytes(self) -> int:
        return sum(self.tensors.values())


class TensorEntry(msgspec.Struct, frozen=True):
    """One tensor, as a header tells of it."""

    dtype: str
    """As the format writes it: ``BF16``, ``F32``, ``U8`` ..."""
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]

    @property
    def nbytes(self) -> int:
        return self.data_offsets[1] - self.data_offsets[0]


def read_weight_file(file: Path) -> WeightFile:
    """Read and check one header against the file's size.

    Raises:
        TruncatedError: the file ends before its last tensor.
        WeightFileError: it is no safetensors file, or its header is damaged.
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        size, length, entries = _read(stream)
    _check_ranges(entries)
    data_end = max((entry.data_offsets[1] for entry in entries.values()), default=0)
    needed = _LENGTH.size + length + data_end
    if size < needed:
        raise TruncatedError(f"it has {size:,} bytes of {needed:,}")
    if size > needed:
        raise WeightFileError(f"it has {size - needed:,} bytes more than its header tells of")
    return _summary(entries)


def read_entries(file: Path) -> dict[str, TensorEntry]:
    """Name -> entry of every tensor of a file, whether all of it is there or not.

    Raises: as :func:`read_weight_file`, but for a file that ends early.
    """
    with file.open("rb") as stream:
        return _read(stream)[2]


def is_lfs_pointer(file: Path) -> bool:
    """True for the little text that Git leaves in place of a large file it did not fetch."""
    with file.open("rb") as stream:
        return stream.read(len(_LFS_POINTER)) == _LFS_POINTER


def _read(stream: BinaryIO) -> tuple[int, int, dict[str, TensorEntry]]:
    """The size of a file, that of its header, and what that says."""
    size = stream.seek(0, 2)
    stream.seek(0)
    length = _header_length(stream.read(_LENGTH.size), size)
    return size, length, _parse(stream.read(length))


def _header_length(start: bytes, size: int) -> int:
    if _LFS_POINTER.startswith(start) and start:
        raise WeightFileError("it is a Git LFS pointer, not the weights")
    if len(start) < _LENGTH.size:
        raise TruncatedError(f"it has {size} bytes")
    length = int(_LENGTH.unpack(start)[0])
    if length > _MAX_HEADER_BYTES:
        raise WeightFileError("its first bytes are not a safetensors header")
    if _LENGTH.size + length > size:
        raise TruncatedError(f"it has {size:,} bytes, its header alone {length:,}")
    return length


def _parse(header: bytes) -> dict[str, TensorEntry]:
    try:
        entries = json.loads(header)
        entries.pop("__metadata__", None)
        return msgspec.convert(entries, dict[str, TensorEntry])
    except (ValueError, AttributeError, msgspec.ValidationError) as error:
        raise WeightFileError(f"its header is damaged ({error})") from error


def _check_ranges(entries: dict[str, TensorEntry]) -> None:
    """Every tensor has the bytes of its shape, and they follow one another without a gap."""
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        if entry.data_offsets[0] != end or entry.nbytes < 0:
            raise WeightFileError(f"its header is damaged (the bytes of {name} begin elsewhere)")
        end = entry.data_offsets[1]
        bits = _BITS.get(entry.dtype)
        if bits is not None and -(-math.prod(entry.shape) * bits // 8) != entry.nbytes:
            raise WeightFileError(
                f"its header is damaged ({name} has {entry.nbytes:,} bytes, which is not "
                f"{list(entry.shape)} in {entry.dtype})"
            )


def _summary(entries: dict[str, TensorEntry]) -> WeightFile:
    tensors: dict[str, int] = {}
    dtypes: dict[str, int] = {}
    parameters = 0
    for name, entry in entries.items():
        tensors[name] = entry.nbytes
        dtypes[entry.dtype] = dtypes.get(entry.dtype, 0) + entry.nbytes
        parameters += math.prod(entry.shape)
    return WeightFile(tensors, dtypes, parameters)
