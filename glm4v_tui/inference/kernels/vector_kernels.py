"""One token times a matrix: every weight is read once, products are summed in float32.

A program computes BLOCK_N rows. The columns go over all of its threads, so that each reads 16
bytes at a time and the sums across threads come once, at the end.
"""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.early import let_next_start, wait
from glm4v_tui.inference.kernels.epilogue import finish
from glm4v_tui.inference.kernels.nf4_words import unpack_word


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
        weight = _load(weight_ptr + place, inside[None, :], start + BLOCK_K <= COLUMNS)
        if SWIGLU:
            second = _load(
                weight_ptr + rows.to(tl.int64) * COLUMNS + place,
                inside[None, :],
                start + BLOCK_K <= COLUMNS,
            )
        if start == 0:
            wait(EARLY)
        x = tl.load(x_ptr + column, mask=inside, other=0).to(tl.float32)[None, :]
        gate = _add(gate, weight.to(tl.float32) * x, start == 0)
        if SWIGLU:
            up = _add(up, second.to(tl.float32) * x, start == 0)
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
def _load(pointers: tl.tensor, inside: tl.tensor, ENDS_INSIDE: tl.constexpr) -> tl.tensor:
    if ENDS_INSIDE:
        return tl.load(pointers, eviction_policy="evict_first")
    else:
        return tl.load(pointers, mask=inside, other=0, eviction_policy="evict_first")


@triton.jit
def nf4_vector_kernel(
    x_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    scales_ptr: tl.tensor,
    scales_scale_ptr: tl.tensor,
    scales_mean_ptr: tl.tensor,
    scale_code_ptr: tl.tensor,
    values_ptr: tl.tensor,
    bias_ptr: tl.tensor,
    out_ptr: tl.tensor,
    rows: tl.tensor,
    COLUMNS: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    SWIGLU: tl.constexpr,
    EARLY: tl.constexpr,
    FAST: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    """The same with NF4: weights and x as words of 32 bits; COLUMNS a multiple of 64.

    The columns are taken in halves of a block, 32 weights in four words: 16 bytes of a thread.
    """
    let_next_start(EARLY)
    first = tl.program_id(0) * BLOCK_N
    row = tl.minimum(first + tl.arange(0, BLOCK_N), rows - 1).to(tl.int64)
    HALVES: tl.constexpr = BLOCK_K // 32
    words = tl.arange(0, 4)
    gate = tl.zeros((BLOCK_N, HALVES), tl.float32)
    up = tl.zeros((BLOCK_N, HALVES), tl.float32)
    for start in tl.static_range(0, COLUMNS // 32, HALVES):
        half = start + tl.arange(0, HALVES)
        inside = half < COLUMNS // 32
        within = half[:, None] * 4 + words[None, :]
        place = row[:, None, None] * (COLUMNS // 8) + within[None, :, :]
        block = row[:, None] * (COLUMNS // 64) + (half // 2)[None, :]
        is_inside = inside[None, :, None]
        weight = _load(weight_ptr + place, is_inside, start + HALVES <= COLUMNS // 32)
        scale = _scales(
            block, inside[None, :], scales_ptr, scales_scale_ptr, scales_mean_ptr, scale_code_ptr
        )
        if SWIGLU:
            jump = rows.to(tl.int64) * (COLUMNS // 8)
            second = _load(weight_ptr + jump + place, is_inside, start + HALVES <= COLUMNS // 32)
            second_scale = _scales(
                block + rows.to(tl.int64) * (COLUMNS // 64),
                inside[None, :],
                scales_ptr,
                scales_scale_ptr,
                scales_mean_ptr,
                scale_code_ptr,
            )
        if start == 0:
            wait(EARLY)
        x0, x1, x2, x3, x4, x5, x6, x7 = _eights(
            x_ptr, within, inside, HALVES, out_ptr.dtype.element_ty
        )
        sums = _word_sums(weight, x0, x1, x2, x3, x4, x5, x6, x7, values_ptr, FAST)
        gate = _add(gate, scale * sums, start == 0)
        if SWIGLU:
            sums = _word_sums(second, x0, x1, x2, x3, x4, x5, x6, x7, values_ptr, FAST)
            up = _add(up, second_scale * sums, start == 0)
    sums = tl.sum(gate, axis=1)
    ups = tl.sum(up, axis=1)
    if HAS_BIAS:
        sums += tl.load(bias_ptr + row).to(tl.float32)
    place_out = first + tl.arange(0, BLOCK_N)
    result = finish(sums, ups, out_ptr.dtype.element_ty, SWIGLU)
    tl.store(out_ptr + place_out, result, mask=place_out < rows)


@triton.jit
def _scales(
    block: tl.tensor,
    inside: tl.tensor,
    scales_ptr: tl.tensor,
    scales_scale_ptr: tl.tensor,
    mean_ptr: tl.tensor,
    code_ptr: tl.tensor,
) -> tl.tensor:
    kept = tl.load(scales_ptr + block, mask=inside, other=0).to(tl.int32)
    outer = tl.load(scales_scale_ptr + block // 256, mask=inside, other=0)
    return tl.load(code_ptr + kept) * outer + tl.load(mean_ptr)


@triton.jit
def _eights(
    x_ptr: tl.tensor,
    within: tl.tensor,
    inside: tl.tensor,
    HALVES: tl.constexpr,
    DTYPE: tl.constexpr,
) -> tl.tensor:
    """Eight neighbours of x for each word, float32 of (halves, 4) each."""
    pairs = tl.load(
        x_ptr + within[:, :, None] * 4 + tl.arange(0, 4)[None, None, :],
        mask=inside[:, None, None],
        other=0,
    )
    even, odd = tl.split(tl.reshape(pairs, (HALVES, 4, 2, 2)))
    first, third = tl.split(even)
    second, fourth = tl.split(odd)
    x0, x1 = _pair(first, DTYPE)
    x2, x3 = _pair(second, DTYPE)
    x4, x5 = _pair(third, DTYPE)
    x6, x7 = _pair(fourth, DTYPE)
    return x0, x1, x2, x3, x4, x5, x6, x7


@triton.jit
def _pair(word: tl.tensor, DTYPE: tl.constexpr) -> tl.tensor:
    """Two neighbours of x, float32, out of one word; the lower half is the first."""
    if DTYPE == tl.bfloat16:
        return (
            (word << 16).to(tl.float32, bitcast=True),
            (word & -65536).to(tl.float32, bitcast=True),
        )
    else:
        return (
            word.to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32),
            (word >> 16).to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32),
        )


@triton.jit
def _add(sums: tl.tensor, more: tl.tensor, IS_FIRST: tl.constexpr) -> tl.tensor:
    """Not added to zeros at first, so that products and their sum over columns are one step."""
    if IS_FIRST:
        return more
    else:
        return sums + more


@triton.jit
def _word_sums(
    weight: tl.tensor,
    x0: tl.tensor,
    x1: tl.tensor,
    x2: tl.tensor,
    x3: tl.tensor,
    x4: tl.tensor,
    x5: tl.tensor,
    x6: tl.tensor,
    x7: tl.tensor,
    values_ptr: tl.tensor,
    FAST: tl.constexpr,
) -> tl.tensor:
    """(rows, halves, 4) words of weights by x: (rows, halves) sums, yet without their scale."""
    v0, v1, v2, v3, v4, v5, v6, v7 = unpack_word(weight, values_ptr, FAST)
    sums = v0 * x0[None, :, :]
    sums += v1 * x1[None, :, :]
    sums += v2 * x2[None, :, :]
    sums += v3 * x3[None, :, :]
    sums += v4 * x4[None, :, :]
    sums += v5 * x5[None, :, :]
    sums += v6 * x6[None, :, :]
    sums += v7 * x7[None, :, :]
    return tl.sum(sums, axis=2)
