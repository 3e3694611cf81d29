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


_VECTOR: dict[tuple[Kind, int, int, bool], Launch] = {}
"""(kind, rows that are given, columns, SwiGLU) -> for one token."""


def vector_launch(kind: Kind, rows: int, columns: int, swiglu: bool) -> Launch:
    """For one token."""
    known = _VECTOR.get((kind, rows, columns, swiglu))
    if known is not None:
        return known
    wide = {"16 bits": 2048, "int8": 4096, "nf4": 4096}[kind]
    block_k = max(64, min(wide, power_of_two(columns)))
    per_thread = {"16 bits": 8, "int8": 16, "nf4": 32}[kind]
    warps = max(1, min(8, block_k // (per_thread * 32)))
    return Launch(2 if swiglu else 4, block_k, warps)


def tile_launch(kind: Kind, rows: int, columns: int, swiglu: bool) -> Launch:  # noqa: ARG001
    """For up to sixteen tokens."""
    block_n = 32 if rows <= 8192 or swiglu else 64
    return Launch(block_n, 128, 4, 4 if kind != "nf4" else 2)


def power_of_two(count: int) -> int:
    """The smallest that is not below."""
    return 1 << max(0, count - 1).bit_length()
