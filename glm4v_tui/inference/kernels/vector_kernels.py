"""One token times a matrix: every weight is read once, products are summed in float32.

A program computes BLOCK_N rows. The columns go over all of its threads, so that each reads 16
bytes at a time and the sums across threads come once, at the end.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.early import let_next_start, wait
from glm4v_tui.inference.kernels.epilogue import finish
from glm4v_tui.inference.kernels.nf4_words import unpack_word


@triton.jit
def vector_kernel(
    x_ptr: Any,
    weight_ptr: Any,
    scale_ptr: Any,
    bias_ptr: Any,
    out_ptr: Any,
    rows: Any,
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
        ends_inside: tl.constexpr = start + BLOCK_K <= COLUMNS
        weight = _load(weight_ptr + place, inside[None, :], ends_inside)
        if SWIGLU:
            second = _load(
                weight_ptr + rows.to(tl.int64) * COLUMNS + place, inside[None, :], ends_inside
            )
        if start == 0:
            wait(EARLY)
        x = tl.load(x_ptr + column, mask=inside, other=0).to(tl.float32)[None, :]
        gate += weight.to(tl.float32) * x
        if SWIGLU:
            up += second.to(tl.float32) * x
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
def _load(pointers: Any, inside: Any, ENDS_INSIDE: tl.constexpr) -> Any:
    if ENDS_INSIDE:
        return tl.load(pointers, eviction_policy="evict_first")
    else:
        return tl.load(pointers, mask=inside, other=0, eviction_policy="evict_first")


@triton.jit
def nf4_vector_kernel(
    x_ptr: Any,
    weight_ptr: Any,
    scales_ptr: Any,
    scales_scale_ptr: Any,
    scales_mean_ptr: Any,
    scale_code_ptr: Any,
    values_ptr: Any,
    bias_ptr: Any,
    out_ptr: Any,
    rows: Any,
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
        ends_inside: tl.constexpr = start + HALVES <= COLUMNS // 32
        within = half[:, None] * 4 + words[None, :]
        place = row[:, None, None] * (COLUMNS // 8) + within[None, :, :]
        block = row[:, None] * (COLUMNS // 64) + (half // 2)[None, :]
        is_inside = inside[None, :, None]
        weight = _load(weight_ptr + place, is_inside, ends_inside)
        scale = _scales(
            block, inside[None, :], scales_ptr, scales_scale_ptr, scales_mean_ptr, scale_code_ptr
        )
        if SWIGLU:
            jump = rows.to(tl.int64) * (COLUMNS // 8)
            second = _load(weight_ptr + jump + place, is_inside, ends_inside)
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
        pairs = x_ptr + within * 4
        x0, x1 = _pair(pairs, inside[:, None], out_ptr.dtype.element_ty)
        x2, x3 = _pair(pairs + 1, inside[:, None], out_ptr.dtype.element_ty)
        x4, x5 = _pair(pairs + 2, inside[:, None], out_ptr.dtype.element_ty)
        x6, x7 = _pair(pairs + 3, inside[:, None], out_ptr.dtype.element_ty)
        gate += scale * _word_sums(weight, x0, x1, x2, x3, x4, x5, x6, x7, values_ptr, FAST)
        if SWIGLU:
            up += second_scale * _word_sums(
                second, x0, x1, x2, x3, x4, x5, x6, x7, values_ptr, FAST
            )
    sums = tl.sum(gate, axis=1)
    ups = tl.sum(up, axis=1)
    if HAS_BIAS:
        sums += tl.load(bias_ptr + row).to(tl.float32)
    place_out = first + tl.arange(0, BLOCK_N)
    result = finish(sums, ups, out_ptr.dtype.element_ty, SWIGLU)
    tl.store(out_ptr + place_out, result, mask=place_out < rows)


@triton.jit
def _scales(
    block: Any, inside: Any, scales_ptr: Any, scales_scale_ptr: Any, mean_ptr: Any, code_ptr: Any
) -> Any:
    kept = tl.load(scales_ptr + block, mask=inside, other=0).to(tl.int32)
    outer = tl.load(scales_scale_ptr + block // 256, mask=inside, other=0)
    return tl.load(code_ptr + kept) * outer + tl.load(mean_ptr)


@triton.jit
def _pair(pointers: Any, inside: Any, DTYPE: tl.constexpr) -> Any:
    """Two neighbours of x, float32, out of one word; the lower half is the first."""
    word = tl.load(pointers, mask=inside, other=0)
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
def _word_sums(
    weight: Any,
    x0: Any,
    x1: Any,
    x2: Any,
    x3: Any,
    x4: Any,
    x5: Any,
    x6: Any,
    x7: Any,
    values_ptr: Any,
    FAST: tl.constexpr,
) -> Any:
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
