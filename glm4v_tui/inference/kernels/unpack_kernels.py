"""Packed weights to 16 bits, for products of many tokens, which are bound by arithmetic."""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.nf4_words import unpack_word


@triton.jit
def int8_rows_kernel(
    weight_ptr: tl.tensor,
    scale_ptr: tl.tensor,
    out_ptr: tl.tensor,
    first: tl.tensor,
    columns: tl.tensor,
    BLOCK: tl.constexpr,
) -> None:
    """Rows from ``first`` on: one program for a block of a row's columns."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < columns
    kept = tl.load(weight_ptr + (first + row) * columns + column, mask=inside, other=0)
    value = kept.to(tl.float32) * (tl.load(scale_ptr + first + row) / 127)
    tl.store(out_ptr + row * columns + column, value.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def nf4_words_kernel(
    words_ptr: tl.tensor,
    scales_ptr: tl.tensor,
    scales_scale_ptr: tl.tensor,
    mean_ptr: tl.tensor,
    code_ptr: tl.tensor,
    values_ptr: tl.tensor,
    out_ptr: tl.tensor,
    first: tl.tensor,
    count: tl.tensor,
    BLOCK: tl.constexpr,
    FAST: tl.constexpr,
) -> None:
    """Words of eight weights from ``first`` on; eight words share a scale."""
    word = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = word < count
    at = first + word
    bits = tl.load(words_ptr + at, mask=inside, other=0)
    kept = tl.load(scales_ptr + at // 8, mask=inside, other=0).to(tl.int32)
    outer = tl.load(scales_scale_ptr + at // 2048, mask=inside, other=0)
    scale = tl.load(code_ptr + kept) * outer + tl.load(mean_ptr)
    v0, v1, v2, v3, v4, v5, v6, v7 = unpack_word(bits, values_ptr, FAST)
    low = tl.permute(tl.join(tl.join(v0, v1), tl.join(v2, v3)), (0, 2, 1))
    high = tl.permute(tl.join(tl.join(v4, v5), tl.join(v6, v7)), (0, 2, 1))
    eight = tl.reshape(tl.permute(tl.join(low, high), (0, 3, 1, 2)), (BLOCK, 8))
    place = word[:, None] * 8 + tl.arange(0, 8)[None, :]
    value = (eight * scale[:, None]).to(out_ptr.dtype.element_ty)
    tl.store(out_ptr + place, value, mask=inside[:, None])
