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

_LENGTH = struct.Struct("<Q")
_MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""
_LFS_POINTER = b"version https://git-lfs"


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


class _Entry(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def read_weight_file(file: Path) -> WeightFile:
    """Read and check one header against the file's size.

    Raises:
        TruncatedError: the file ends before its last tensor.
        WeightFileError: it is no safetensors file, or its header is damaged.
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(0)
        length = _header_length(stream.read(_LENGTH.size), size)
        entries = _parse(stream.read(length))
    data_end = max((entry.data_offsets[1] for entry in entries.values()), default=0)
    needed = _LENGTH.size + length + data_end
    if size < needed:
        raise TruncatedError(f"it has {size:,} bytes of {needed:,}")
    if size > needed:
        raise WeightFileError(f"it has {size - needed:,} bytes more than its header tells of")
    return _summary(entries)


def is_lfs_pointer(file: Path) -> bool:
    """True for the little text that Git leaves in place of a large file it did not fetch."""
    with file.open("rb") as stream:
        return stream.read(len(_LFS_POINTER)) == _LFS_POINTER


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


def _parse(header: bytes) -> dict[str, _Entry]:
    try:
        entries = json.loads(header)
        entries.pop("__metadata__", None)
        return msgspec.convert(entries, dict[str, _Entry])
    except (ValueError, AttributeError, msgspec.ValidationError) as error:
        raise WeightFileError(f"its header is damaged ({error})") from error


def _summary(entries: dict[str, _Entry]) -> WeightFile:
    tensors: dict[str, int] = {}
    dtypes: dict[str, int] = {}
    parameters = 0
    for name, entry in entries.items():
        start, end = entry.data_offsets
        tensors[name] = end - start
        dtypes[entry.dtype] = dtypes.get(entry.dtype, 0) + end - start
        parameters += math.prod(entry.shape)
    return WeightFile(tensors, dtypes, parameters)
