"""Up to sixteen tokens times a matrix, on the tensor cores; every weight is read once.

The weights are the left operand, (rows, columns), and the tokens' transpose the right one, padded
to sixteen. Packed weights are unpacked to the inputs' dtype, as the unfused product does.

The programs are large and few. What comes next is let in when the products are done: earlier, its
own few programs would all go where these have left room, and share some of the processors.
"""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.early import let_next_start, wait
from glm4v_tui.inference.kernels.epilogue import finish
from glm4v_tui.inference.kernels.nf4_words import ALPHA, BETA, unpack_word


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
    let_next_start(EARLY)
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
    MEANS: tl.constexpr,
    SHIFTED: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    """The same with NF4; weights as words of 32 bits, COLUMNS a multiple of 64.

    The eight weights of a word go into eight products, so that nothing has to be interleaved.
    """
    wait(EARLY)
    DTYPE: tl.constexpr = x_ptr.dtype.element_ty
    WORDS: tl.constexpr = BLOCK_K // 8
    row = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    token = tl.arange(0, BLOCK_M)
    at = tl.minimum(row, rows - 1).to(tl.int64)
    gate = tl.zeros((BLOCK_N, BLOCK_M), tl.float32)
    up = tl.zeros((BLOCK_N, BLOCK_M), tl.float32)
    for start in range(0, COLUMNS // 8, WORDS):
        column = start * 8 + tl.arange(0, BLOCK_K)
        x = tl.load(
            x_ptr + token[:, None] * COLUMNS + column[None, :],
            mask=(token < tokens)[:, None] & (column < COLUMNS)[None, :],
            other=0,
        )
        even, odd = tl.split(tl.reshape(x, (BLOCK_M, WORDS, 4, 2)))
        a, b = tl.split(tl.reshape(even, (BLOCK_M, WORDS, 2, 2)))
        c, d = tl.split(tl.reshape(odd, (BLOCK_M, WORDS, 2, 2)))
        x0, x4 = tl.split(a)
        x2, x6 = tl.split(b)
        x1, x5 = tl.split(c)
        x3, x7 = tl.split(d)
        v0, v1, v2, v3, v4, v5, v6, v7 = _unpacked(
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
            MEANS,
            SHIFTED,
            DTYPE,
        )
        gate = _eight_products(v0, v1, v2, v3, v4, v5, v6, v7, x0, x1, x2, x3, x4, x5, x6, x7, gate)
        if SWIGLU:
            v0, v1, v2, v3, v4, v5, v6, v7 = _unpacked(
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
                MEANS,
                SHIFTED,
                DTYPE,
            )
            up = _eight_products(v0, v1, v2, v3, v4, v5, v6, v7, x0, x1, x2, x3, x4, x5, x6, x7, up)
    let_next_start(EARLY)
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
    MEANS: tl.constexpr,
    SHIFTED: tl.constexpr,
    DTYPE: tl.constexpr,
) -> tl.tensor:
    """The weights of a tile: eight of (BLOCK_N, BLOCK_K // 8), those of each word in order."""
    word = start + tl.arange(0, BLOCK_K // 8)
    packed = tl.load(
        weight_ptr + at[:, None] * (COLUMNS // 8) + word[None, :],
        mask=(word < COLUMNS // 8)[None, :],
        other=0,
    )
    column_block = start // 8 + tl.arange(0, BLOCK_K // 64)
    block = at[:, None] * (COLUMNS // 64) + column_block[None, :]
    inside = (column_block < COLUMNS // 64)[None, :]
    kept = tl.load(scales_ptr + block, mask=inside, other=0).to(tl.int32)
    outer = tl.load(scales_scale_ptr + block // 256, mask=inside, other=0)
    mean = tl.load(scales_mean_ptr + at * MEANS)[:, None]
    scale = tl.load(scale_code_ptr + kept) * outer + mean
    if SHIFTED == 4:
        scale /= ALPHA
    wide = tl.broadcast_to(scale[:, :, None], (BLOCK_N, BLOCK_K // 64, 8))
    wide = tl.reshape(wide, (BLOCK_N, BLOCK_K // 8))
    shift = wide * 0
    if SHIFTED == 4:
        shift = wide * BETA
    v0, v1, v2, v3, v4, v5, v6, v7 = unpack_word(packed, values_ptr, SHIFTED)
    return (
        (v0 * wide - shift).to(DTYPE),
        (v1 * wide - shift).to(DTYPE),
        (v2 * wide - shift).to(DTYPE),
        (v3 * wide - shift).to(DTYPE),
        (v4 * wide).to(DTYPE),
        (v5 * wide).to(DTYPE),
        (v6 * wide).to(DTYPE),
        (v7 * wide).to(DTYPE),
    )


@triton.jit
def _eight_products(
    v0: tl.tensor, v1: tl.tensor, v2: tl.tensor, v3: tl.tensor,
    v4: tl.tensor, v5: tl.tensor, v6: tl.tensor, v7: tl.tensor,
    x0: tl.tensor, x1: tl.tensor, x2: tl.tensor, x3: tl.tensor,
    x4: tl.tensor, x5: tl.tensor, x6: tl.tensor, x7: tl.tensor,
    sums: tl.tensor,
) -> tl.tensor:  # fmt: skip
    """``sums`` (rows, tokens) and the products of (rows, words) by (tokens, words), each."""
    sums = tl.dot(v0, tl.trans(x0), sums)
    sums = tl.dot(v1, tl.trans(x1), sums)
    sums = tl.dot(v2, tl.trans(x2), sums)
    sums = tl.dot(v3, tl.trans(x3), sums)
    sums = tl.dot(v4, tl.trans(x4), sums)
    sums = tl.dot(v5, tl.trans(x5), sums)
    sums = tl.dot(v6, tl.trans(x6), sums)
    return tl.dot(v7, tl.trans(x7), sums)
