"""One token times an NF4 matrix: every weight is read once, products are summed in float32."""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.early import let_next_start, wait
from glm4v_tui.inference.kernels.epilogue import finish
from glm4v_tui.inference.kernels.nf4_parts import eights, raw_scales, scales, shift_of, word_sums
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
    SHIFTED: tl.constexpr,
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
        weight = load_tile(weight_ptr + place, is_inside, start + HALVES <= COLUMNS // 32)
        scale = scales(
            block, inside[None, :], scales_ptr, scales_scale_ptr, scales_mean_ptr, scale_code_ptr
        )
        if SWIGLU:
            jump = rows.to(tl.int64) * (COLUMNS // 8)
            second = load_tile(
                weight_ptr + jump + place, is_inside, start + HALVES <= COLUMNS // 32
            )
            second_scale = scales(
                block + rows.to(tl.int64) * (COLUMNS // 64),
                inside[None, :],
                scales_ptr,
                scales_scale_ptr,
                scales_mean_ptr,
                scale_code_ptr,
            )
        if start == 0:
            wait(EARLY)
        x0, x1, x2, x3, x4, x5, x6, x7 = eights(
            x_ptr, within, inside, HALVES, out_ptr.dtype.element_ty
        )
        shift = shift_of(x0, x1, x2, x3, x4, x5, x6, x7, HALVES, SHIFTED)
        sums = word_sums(weight, x0, x1, x2, x3, x4, x5, x6, x7, values_ptr, SHIFTED)
        gate = add_products(gate, scale * (sums - shift[None, :]), start == 0)
        if SWIGLU:
            sums = word_sums(second, x0, x1, x2, x3, x4, x5, x6, x7, values_ptr, SHIFTED)
            up = add_products(up, second_scale * (sums - shift[None, :]), start == 0)
    sums = tl.sum(gate, axis=1)
    ups = tl.sum(up, axis=1)
    if SHIFTED >= 4:
        sums /= ALPHA
        ups /= ALPHA
    if HAS_BIAS:
        sums += tl.load(bias_ptr + row).to(tl.float32)
    place_out = first + tl.arange(0, BLOCK_N)
    result = finish(sums, ups, out_ptr.dtype.element_ty, SWIGLU)
    tl.store(out_ptr + place_out, result, mask=place_out < rows)


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
    SHIFTED: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    """The same by programs that stay: each holds x, and reads the rows after next meanwhile.

    All columns are one block.
    """
    let_next_start(EARLY)
    HALVES: tl.constexpr = BLOCK_K // 32
    IS_WHOLE: tl.constexpr = BLOCK_K == COLUMNS
    half = tl.arange(0, HALVES)
    inside = half < COLUMNS // 32
    within = half[:, None] * 4 + tl.arange(0, 4)[None, :]
    block = half // 2
    jump = rows.to(tl.int64)
    place_out = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    step = tl.num_programs(0) * BLOCK_N
    row = tl.minimum(place_out, rows - 1).to(tl.int64)
    weight = load_tile(
        weight_ptr + row[:, None, None] * (COLUMNS // 8) + within[None, :, :],
        inside[None, :, None],
        IS_WHOLE,
    )
    kept, outer = raw_scales(
        row[:, None] * (COLUMNS // 64) + block[None, :],
        inside[None, :],
        scales_ptr,
        scales_scale_ptr,
    )
    second, second_kept, second_outer = weight, kept, outer
    if SWIGLU:
        up_row = row + jump
        second = load_tile(
            weight_ptr + up_row[:, None, None] * (COLUMNS // 8) + within[None, :, :],
            inside[None, :, None],
            IS_WHOLE,
        )
        second_kept, second_outer = raw_scales(
            up_row[:, None] * (COLUMNS // 64) + block[None, :],
            inside[None, :],
            scales_ptr,
            scales_scale_ptr,
        )
    mean = tl.load(scales_mean_ptr)
    wait(EARLY)
    x0, x1, x2, x3, x4, x5, x6, x7 = eights(x_ptr, within, inside, HALVES, out_ptr.dtype.element_ty)
    shift = shift_of(x0, x1, x2, x3, x4, x5, x6, x7, HALVES, SHIFTED)[None, :]
    for first in range(tl.program_id(0) * BLOCK_N, rows, step):
        next_row = tl.minimum(first + step + tl.arange(0, BLOCK_N), rows - 1).to(tl.int64)
        next_weight = load_tile(
            weight_ptr + next_row[:, None, None] * (COLUMNS // 8) + within[None, :, :],
            inside[None, :, None],
            IS_WHOLE,
        )
        next_kept, next_outer = raw_scales(
            next_row[:, None] * (COLUMNS // 64) + block[None, :],
            inside[None, :],
            scales_ptr,
            scales_scale_ptr,
        )
        next_second, next_second_kept, next_second_outer = next_weight, next_kept, next_outer
        if SWIGLU:
            up_row = next_row + jump
            next_second = load_tile(
                weight_ptr + up_row[:, None, None] * (COLUMNS // 8) + within[None, :, :],
                inside[None, :, None],
                IS_WHOLE,
            )
            next_second_kept, next_second_outer = raw_scales(
                up_row[:, None] * (COLUMNS // 64) + block[None, :],
                inside[None, :],
                scales_ptr,
                scales_scale_ptr,
            )
        scale = tl.load(scale_code_ptr + kept.to(tl.int32)) * outer + mean
        sums = word_sums(weight, x0, x1, x2, x3, x4, x5, x6, x7, values_ptr, SHIFTED)
        sums = tl.sum(scale * (sums - shift), axis=1)
        ups = sums
        if SWIGLU:
            scale = tl.load(scale_code_ptr + second_kept.to(tl.int32)) * second_outer + mean
            ups = word_sums(second, x0, x1, x2, x3, x4, x5, x6, x7, values_ptr, SHIFTED)
            ups = tl.sum(scale * (ups - shift), axis=1)
        if SHIFTED >= 4:
            sums /= ALPHA
            ups /= ALPHA
        place_out = first + tl.arange(0, BLOCK_N)
        if HAS_BIAS:
            sums += tl.load(bias_ptr + place_out, mask=place_out < rows, other=0).to(tl.float32)
        result = finish(sums, ups, out_ptr.dtype.element_ty, SWIGLU)
        tl.store(out_ptr + place_out, result, mask=place_out < rows)
        weight, kept, outer = next_weight, next_kept, next_outer
        second, second_kept, second_outer = next_second, next_second_kept, next_second_outer
