"""One token times an NF4 matrix: every weight is read once, products are summed in float32.

Weights and x are words of 32 bits; COLUMNS is a multiple of 64.
"""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.early import let_next_start, wait
from glm4v_tui.inference.kernels.epilogue import finish
from glm4v_tui.inference.kernels.nf4_parts import block_sums, eights, raw_scales, shift_of
from glm4v_tui.inference.kernels.nf4_words import ALPHA
from glm4v_tui.inference.kernels.vector_kernels import add_products, load_tile


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
    MEANS: tl.constexpr,
    SHIFTED: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    """(1, COLUMNS) by (rows, COLUMNS), or by (2 * rows, COLUMNS) with SWIGLU."""
    let_next_start(EARLY)
    first = tl.program_id(0) * BLOCK_N
    row = tl.minimum(first + tl.arange(0, BLOCK_N), rows - 1).to(tl.int64)
    up_row = row + rows
    WORDS: tl.constexpr = BLOCK_K // 8
    gate = tl.zeros((BLOCK_N, BLOCK_K // 64), tl.float32)
    up = tl.zeros((BLOCK_N, BLOCK_K // 64), tl.float32)
    mean = tl.load(scales_mean_ptr + row * MEANS)[:, None]
    up_mean = tl.load(scales_mean_ptr + up_row * MEANS)[:, None] if SWIGLU else mean
    for start in tl.static_range(0, COLUMNS // 8, WORDS):
        weight, kept, outer = _tile(
            row, start, weight_ptr, scales_ptr, scales_scale_ptr, COLUMNS, BLOCK_K
        )
        second, second_kept, second_outer = weight, kept, outer
        if SWIGLU:
            second, second_kept, second_outer = _tile(
                up_row, start, weight_ptr, scales_ptr, scales_scale_ptr, COLUMNS, BLOCK_K
            )
        if start == 0:
            wait(EARLY)
        x0, x1, x2, x3, x4, x5, x6, x7 = eights(
            x_ptr, start, COLUMNS, WORDS, out_ptr.dtype.element_ty
        )
        shift = shift_of(x0, x1, x2, x3, WORDS, SHIFTED)
        scale = tl.load(scale_code_ptr + kept.to(tl.int32)) * outer + mean
        sums = block_sums(
            weight, x0, x1, x2, x3, x4, x5, x6, x7, values_ptr, BLOCK_N, WORDS, SHIFTED
        )
        gate = add_products(gate, scale * (sums - shift), start == 0)
        if SWIGLU:
            scale = tl.load(scale_code_ptr + second_kept.to(tl.int32)) * second_outer + up_mean
            sums = block_sums(
                second, x0, x1, x2, x3, x4, x5, x6, x7, values_ptr, BLOCK_N, WORDS, SHIFTED
            )
            up = add_products(up, scale * (sums - shift), start == 0)
    _write(gate, up, first, bias_ptr, out_ptr, rows, HAS_BIAS, SWIGLU, SHIFTED, BLOCK_N)


@triton.jit
def nf4_stream_kernel(
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
    MEANS: tl.constexpr,
    SHIFTED: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    """The same by programs that stay: each holds x, and reads its next rows meanwhile.

    All columns are one block.
    """
    let_next_start(EARLY)
    WORDS: tl.constexpr = BLOCK_K // 8
    step = tl.num_programs(0) * BLOCK_N
    begin = tl.program_id(0) * BLOCK_N
    row = tl.minimum(begin + tl.arange(0, BLOCK_N), rows - 1).to(tl.int64)
    weight, kept, outer = _tile(row, 0, weight_ptr, scales_ptr, scales_scale_ptr, COLUMNS, BLOCK_K)
    second, second_kept, second_outer = weight, kept, outer
    if SWIGLU:
        second, second_kept, second_outer = _tile(
            row + rows, 0, weight_ptr, scales_ptr, scales_scale_ptr, COLUMNS, BLOCK_K
        )
    wait(EARLY)
    x0, x1, x2, x3, x4, x5, x6, x7 = eights(x_ptr, 0, COLUMNS, WORDS, out_ptr.dtype.element_ty)
    shift = shift_of(x0, x1, x2, x3, WORDS, SHIFTED)
    for first in range(begin, rows, step):
        here = tl.minimum(first + tl.arange(0, BLOCK_N), rows - 1)
        mean = tl.load(scales_mean_ptr + here * MEANS)[:, None]
        row = tl.minimum(first + step + tl.arange(0, BLOCK_N), rows - 1).to(tl.int64)
        next_weight, next_kept, next_outer = _tile(
            row, 0, weight_ptr, scales_ptr, scales_scale_ptr, COLUMNS, BLOCK_K
        )
        next_second, next_second_kept, next_second_outer = next_weight, next_kept, next_outer
        if SWIGLU:
            next_second, next_second_kept, next_second_outer = _tile(
                row + rows, 0, weight_ptr, scales_ptr, scales_scale_ptr, COLUMNS, BLOCK_K
            )
        scale = tl.load(scale_code_ptr + kept.to(tl.int32)) * outer + mean
        gate = scale * (
            block_sums(weight, x0, x1, x2, x3, x4, x5, x6, x7, values_ptr, BLOCK_N, WORDS, SHIFTED)
            - shift
        )
        up = gate
        if SWIGLU:
            mean = tl.load(scales_mean_ptr + (here + rows) * MEANS)[:, None]
            scale = tl.load(scale_code_ptr + second_kept.to(tl.int32)) * second_outer + mean
            up = scale * (
                block_sums(
                    second, x0, x1, x2, x3, x4, x5, x6, x7, values_ptr, BLOCK_N, WORDS, SHIFTED
                )
                - shift
            )
        _write(gate, up, first, bias_ptr, out_ptr, rows, HAS_BIAS, SWIGLU, SHIFTED, BLOCK_N)
        weight, kept, outer = next_weight, next_kept, next_outer
        second, second_kept, second_outer = next_second, next_second_kept, next_second_outer


@triton.jit
def _tile(
    row: tl.tensor,
    start: tl.tensor,
    weight_ptr: tl.tensor,
    scales_ptr: tl.tensor,
    scales_scale_ptr: tl.tensor,
    COLUMNS: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> tl.tensor:
    """Words of these rows from word ``start`` on, and their blocks' raw scales."""
    word = start + tl.arange(0, BLOCK_K // 8)
    weight = load_tile(
        weight_ptr + row[:, None] * (COLUMNS // 8) + word[None, :],
        (word < COLUMNS // 8)[None, :],
        COLUMNS % BLOCK_K == 0,
    )
    block = start // 8 + tl.arange(0, BLOCK_K // 64)
    kept, outer = raw_scales(
        row[:, None] * (COLUMNS // 64) + block[None, :],
        (block < COLUMNS // 64)[None, :],
        scales_ptr,
        scales_scale_ptr,
    )
    return weight, kept, outer


@triton.jit
def _write(
    gate: tl.tensor,
    up: tl.tensor,
    first: tl.tensor,
    bias_ptr: tl.tensor,
    out_ptr: tl.tensor,
    rows: tl.tensor,
    HAS_BIAS: tl.constexpr,
    SWIGLU: tl.constexpr,
    SHIFTED: tl.constexpr,
    BLOCK_N: tl.constexpr,
) -> None:
    """(rows, blocks) sums to results from row ``first`` on."""
    sums = tl.sum(gate, axis=1)
    ups = sums
    if SWIGLU:
        ups = tl.sum(up, axis=1)
    if SHIFTED == 4:
        sums /= ALPHA
        ups /= ALPHA
    place = first + tl.arange(0, BLOCK_N)
    if HAS_BIAS:
        sums += tl.load(bias_ptr + place, mask=place < rows, other=0).to(tl.float32)
    result = finish(sums, ups, out_ptr.dtype.element_ty, SWIGLU)
    tl.store(out_ptr + place, result, mask=place < rows)
