"""How the products are launched: rows and columns of a program, its warps; by shape.

Nothing is tuned at run time. The table was measured on an H100 (``bench kernels``); what is not in
it goes by size.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["16 bits", "int8", "nf4"]


class Launch(NamedTuple):
    block_n: int
    block_k: int
    warps: int
    stages: int = 1
    programs: int = 0
    """Of those that stay (NF4, one token); 0: as many as there are blocks of rows."""
    shifted: Literal[0, 4] = 4
    """Of eight NF4 weights those that byte permutes unpack; shuffles unpack the others."""


Shape = tuple[Kind, int, int, bool]
"""The weight's kind, rows and columns, and whether SwiGLU follows."""

_VECTOR: dict[Shape, Launch] = {
    ("16 bits", 4608, 4096, False): Launch(2, 2048, 8),
    ("16 bits", 4096, 4096, False): Launch(2, 2048, 8),
    ("16 bits", 27392, 4096, True): Launch(2, 2048, 8),
    ("16 bits", 4096, 13696, False): Launch(2, 2048, 4),
    ("16 bits", 151552, 4096, False): Launch(4, 2048, 8),
    ("int8", 4608, 4096, False): Launch(2, 4096, 8),
    ("int8", 4096, 4096, False): Launch(2, 4096, 4),
    ("int8", 27392, 4096, True): Launch(2, 4096, 4),
    ("int8", 4096, 13696, False): Launch(2, 2048, 4),
    ("int8", 151552, 4096, False): Launch(2, 4096, 8),
    ("nf4", 4608, 4096, False): Launch(4, 4096, 4, programs=528),
    ("nf4", 4096, 4096, False): Launch(4, 4096, 4, programs=528),
    ("nf4", 27392, 4096, True): Launch(4, 2048, 2),
    ("nf4", 4096, 13696, False): Launch(1, 16384, 16, programs=264, shifted=0),
    ("nf4", 151552, 4096, False): Launch(2, 4096, 4, programs=660),
}
_TILE: dict[Shape, Launch] = {
    ("int8", 4608, 4096, False): Launch(16, 128, 2, 5),
    ("int8", 4096, 4096, False): Launch(32, 128, 4, 4),
    ("int8", 27392, 4096, True): Launch(32, 256, 4, 3),
    ("int8", 4096, 13696, False): Launch(32, 128, 4, 4),
    ("int8", 151552, 4096, False): Launch(32, 256, 4, 3),
    ("nf4", 27392, 4096, True): Launch(32, 128, 4, 3),
    ("nf4", 4096, 13696, False): Launch(64, 256, 4, 2),
    ("nf4", 151552, 4096, False): Launch(128, 128, 4, 3),
}


def vector_launch(shape: Shape) -> Launch:
    """For one token."""
    if (known := _VECTOR.get(shape)) is not None:
        return known
    kind, _, columns, swiglu = shape
    wide = {"16 bits": 2048, "int8": 4096, "nf4": 2048}[kind]
    block_k = max(64, min(wide, power_of_two(columns)))
    per_thread = {"16 bits": 8, "int8": 16, "nf4": 32}[kind]
    warps = max(1, min(8, block_k // (per_thread * 32)))
    return Launch(2 if swiglu or kind != "nf4" else 4, block_k, warps)


def tile_launch(shape: Shape) -> Launch:
    """For up to sixteen tokens."""
    if (known := _TILE.get(shape)) is not None:
        return known
    return {
        "16 bits": Launch(64, 128, 4, 4),
        "int8": Launch(32, 128, 4, 4),
        "nf4": Launch(64, 128, 4, 3),
    }[shape[0]]


def power_of_two(count: int) -> int:
    """The smallest that is not below."""
    return 1 << max(0, count - 1).bit_length()
