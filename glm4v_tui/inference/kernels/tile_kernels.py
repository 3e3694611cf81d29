"""Up to sixteen tokens times a matrix, on the tensor cores; every weight is read once.

The weights are the left operand, (rows, columns), and the tokens' transpose the right one, padded
to sixteen. Packed weights are unpacked to the inputs' dtype, as the unfused product does.
"""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.early import let_next_start, wait
from glm4v_tui.inference.kernels.epilogue import finish


@triton.jit
def tile_kernel(
    x_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    scale_ptr: tl.tensor,
    bias_ptr: tl.tensor,
    out_ptr: tl.tensor,
    tokens: tl.tensor,
    rows: tl.tensor,
    COLUMNS: tl.constexpr,
    HAS_SCALE: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    SWIGLU: tl.constexpr,
    EARLY: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    """(tokens, COLUMNS) by (rows, COLUMNS), or by (2 * rows, COLUMNS) with SWIGLU."""
    let_next_start(EARLY)
    wait(EARLY)
    DTYPE: tl.constexpr = x_ptr.dtype.element_ty
    row = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    token = tl.arange(0, BLOCK_M)
    at = tl.minimum(row, rows - 1).to(tl.int64)
    gate = tl.zeros((BLOCK_N, BLOCK_M), tl.float32)
    up = tl.zeros((BLOCK_N, BLOCK_M), tl.float32)
    for start in range(0, COLUMNS, BLOCK_K):
        column = start + tl.arange(0, BLOCK_K)
        inside = column < COLUMNS
        x = tl.load(
            x_ptr + token[None, :] * COLUMNS + column[:, None],
            mask=(token < tokens)[None, :] & inside[:, None],
            other=0,
        )
        place = at[:, None] * COLUMNS + column[None, :]
        weight = tl.load(weight_ptr + place, mask=inside[None, :], other=0)
        gate = tl.dot(weight.to(DTYPE), x, gate)
        if SWIGLU:
            jump = rows.to(tl.int64) * COLUMNS
            second = tl.load(weight_ptr + jump + place, mask=inside[None, :], other=0)
            up = tl.dot(second.to(DTYPE), x, up)
    if HAS_SCALE:
        gate *= (tl.load(scale_ptr + at) / 127)[:, None]
        if SWIGLU:
            up *= (tl.load(scale_ptr + rows + at) / 127)[:, None]
    if HAS_BIAS:
        gate += tl.load(bias_ptr + at).to(tl.float32)[:, None]
    tl.store(
        out_ptr + token[None, :] * rows + row[:, None],
        finish(gate, up, DTYPE, SWIGLU),
        mask=(token < tokens)[None, :] & (row < rows)[:, None],
    )


@triton.jit
def nf4_tile_kernel(
    x_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    scales_ptr: tl.tensor,
    scales_scale_ptr: tl.tensor,
    scales_mean_ptr: tl.tensor,
    scale_code_ptr: tl.tensor,
    values_ptr: tl.tensor,
    bias_ptr: tl.tensor,
    out_ptr: tl.tensor,
    tokens: tl.tensor,
    rows: tl.tensor,
    COLUMNS: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    SWIGLU: tl.constexpr,
    EARLY: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    """The same with NF4; weights as bytes, COLUMNS a multiple of 64.

    Even and odd columns are two products, so that nothing has to be interleaved.
    """
    let_next_start(EARLY)
    wait(EARLY)
    DTYPE: tl.constexpr = x_ptr.dtype.element_ty
    row = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    token = tl.arange(0, BLOCK_M)
    at = tl.minimum(row, rows - 1).to(tl.int64)
    gate = tl.zeros((BLOCK_N, BLOCK_M), tl.float32)
    up = tl.zeros((BLOCK_N, BLOCK_M), tl.float32)
    for start in range(0, COLUMNS // 2, BLOCK_K // 2):
        pair = start + tl.arange(0, BLOCK_K // 2)
        x_place = x_ptr + token[None, :] * COLUMNS + pair[:, None] * 2
        x_inside = (token < tokens)[None, :] & (pair < COLUMNS // 2)[:, None]
        even = tl.load(x_place, mask=x_inside, other=0)
        odd = tl.load(x_place + 1, mask=x_inside, other=0)
        upper, lower = _unpacked(
            at,
            start,
            weight_ptr,
            scales_ptr,
            scales_scale_ptr,
            scales_mean_ptr,
            scale_code_ptr,
            values_ptr,
            COLUMNS,
            BLOCK_N,
            BLOCK_K,
            DTYPE,
        )
        gate = tl.dot(upper, even, gate)
        gate = tl.dot(lower, odd, gate)
        if SWIGLU:
            upper, lower = _unpacked(
                at + rows,
                start,
                weight_ptr,
                scales_ptr,
                scales_scale_ptr,
                scales_mean_ptr,
                scale_code_ptr,
                values_ptr,
                COLUMNS,
                BLOCK_N,
                BLOCK_K,
                DTYPE,
            )
            up = tl.dot(upper, even, up)
            up = tl.dot(lower, odd, up)
    if HAS_BIAS:
        gate += tl.load(bias_ptr + at).to(tl.float32)[:, None]
    tl.store(
        out_ptr + token[None, :] * rows + row[:, None],
        finish(gate, up, DTYPE, SWIGLU),
        mask=(token < tokens)[None, :] & (row < rows)[:, None],
    )


@triton.jit
def _unpacked(
    at: tl.tensor,
    start: tl.tensor,
    weight_ptr: tl.tensor,
    scales_ptr: tl.tensor,
    scales_scale_ptr: tl.tensor,
    scales_mean_ptr: tl.tensor,
    scale_code_ptr: tl.tensor,
    values_ptr: tl.tensor,
    COLUMNS: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    DTYPE: tl.constexpr,
) -> tl.tensor:
    """The even and the odd columns of a tile, each (BLOCK_N, BLOCK_K // 2)."""
    pair = start + tl.arange(0, BLOCK_K // 2)
    inside = (pair < COLUMNS // 2)[None, :]
    packed = tl.load(
        weight_ptr + at[:, None] * (COLUMNS // 2) + pair[None, :], mask=inside, other=0
    ).to(tl.int32)
    column_block = start // 32 + tl.arange(0, BLOCK_K // 64)
    block = at[:, None] * (COLUMNS // 64) + column_block[None, :]
    block_inside = (column_block < COLUMNS // 64)[None, :]
    kept = tl.load(scales_ptr + block, mask=block_inside, other=0).to(tl.int32)
    outer = tl.load(scales_scale_ptr + block // 256, mask=block_inside, other=0)
    scale = tl.load(scale_code_ptr + kept) * outer + tl.load(scales_mean_ptr)
    wide = tl.broadcast_to(scale[:, :, None], (BLOCK_N, BLOCK_K // 64, 32))
    wide = tl.reshape(wide, (BLOCK_N, BLOCK_K // 2))
    upper = tl.load(values_ptr + (packed >> 4)) * wide
    lower = tl.load(values_ptr + (packed & 15)) * wide
    return upper.to(DTYPE), lower.to(DTYPE)
