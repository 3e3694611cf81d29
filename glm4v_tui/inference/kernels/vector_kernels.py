"""One token times a matrix: every weight is read once, products are summed in float32.

A program computes BLOCK_N rows. The columns go over all of its threads, so that each reads 16
bytes at a time and the sums across threads come once, at the end.
"""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.early import let_next_start, wait
from glm4v_tui.inference.kernels.epilogue import finish


@triton.jit
def vector_kernel(
    x_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    scale_ptr: tl.tensor,
    bias_ptr: tl.tensor,
    out_ptr: tl.tensor,
    rows: tl.tensor,
    COLUMNS: tl.constexpr,
    HAS_SCALE: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    SWIGLU: tl.constexpr,
    EARLY: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    """(1, COLUMNS) by (rows, COLUMNS), or by (2 * rows, COLUMNS) with SWIGLU; 16 or 8 bits."""
    let_next_start(EARLY)
    first = tl.program_id(0) * BLOCK_N
    row = tl.minimum(first + tl.arange(0, BLOCK_N), rows - 1).to(tl.int64)
    gate = tl.zeros((BLOCK_N, BLOCK_K), tl.float32)
    up = tl.zeros((BLOCK_N, BLOCK_K), tl.float32)
    for start in tl.static_range(0, COLUMNS, BLOCK_K):
        column = start + tl.arange(0, BLOCK_K)
        inside = column < COLUMNS
        place = row[:, None] * COLUMNS + column[None, :]
        weight = load_tile(weight_ptr + place, inside[None, :], start + BLOCK_K <= COLUMNS)
        if SWIGLU:
            second = load_tile(
                weight_ptr + rows.to(tl.int64) * COLUMNS + place,
                inside[None, :],
                start + BLOCK_K <= COLUMNS,
            )
        if start == 0:
            wait(EARLY)
        x = tl.load(x_ptr + column, mask=inside, other=0).to(tl.float32)[None, :]
        gate = add_products(gate, weight.to(tl.float32) * x, start == 0)
        if SWIGLU:
            up = add_products(up, second.to(tl.float32) * x, start == 0)
    sums = tl.sum(gate, axis=1)
    if HAS_SCALE:
        sums *= tl.load(scale_ptr + row) / 127
    ups = sums
    if SWIGLU:
        ups = tl.sum(up, axis=1)
        if HAS_SCALE:
            ups *= tl.load(scale_ptr + rows + row) / 127
    if HAS_BIAS:
        sums += tl.load(bias_ptr + row).to(tl.float32)
    place_out = first + tl.arange(0, BLOCK_N)
    result = finish(sums, ups, out_ptr.dtype.element_ty, SWIGLU)
    tl.store(out_ptr + place_out, result, mask=place_out < rows)


@triton.jit
def load_tile(pointers: tl.tensor, inside: tl.tensor, ENDS_INSIDE: tl.constexpr) -> tl.tensor:
    if ENDS_INSIDE:
        return tl.load(pointers, eviction_policy="evict_first")
    else:
        return tl.load(pointers, mask=inside, other=0, eviction_policy="evict_first")


@triton.jit
def add_products(sums: tl.tensor, more: tl.tensor, IS_FIRST: tl.constexpr) -> tl.tensor:
    """Not added to zeros at first, so that products and their sum over columns are one step."""
    if IS_FIRST:
        return more
    else:
        return sums + more
