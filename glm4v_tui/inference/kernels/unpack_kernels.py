"""Packed weights to 16 bits, for products of many tokens, which are bound by arithmetic."""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.nf4_words import unpack_word


@triton.jit(do_not_specialize=["first"])
def int8_rows_kernel(
    weight_ptr: tl.tensor,
    scale_ptr: tl.tensor,
    out_ptr: tl.tensor,
    first: tl.tensor,
    columns: tl.tensor,
    BLOCK: tl.constexpr,
) -> None:
    """Rows from ``first`` on; one program for a block of a row's columns."""
    out_row = tl.program_id(0).to(tl.int64)
    row = first + out_row
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < columns
    kept = tl.load(weight_ptr + row * columns + column, mask=inside, other=0)
    value = kept.to(tl.float32) * (tl.load(scale_ptr + row) / 127)
    tl.store(out_ptr + out_row * columns + column, value.to(out_ptr.dtype.element_ty), mask=inside)


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
    columns: tl.tensor,
    MEANS: tl.constexpr,
    DTYPE: tl.constexpr,
    BLOCK: tl.constexpr,
    SHIFTED: tl.constexpr,
) -> None:
    """Words of eight weights from ``first`` on; eight words share a scale.

    ``out_ptr`` is of words, too: of two values each.
    """
    word = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = word < count
    at = first + word
    bits = tl.load(words_ptr + at, mask=inside, other=0)
    kept = tl.load(scales_ptr + at // 8, mask=inside, other=0).to(tl.int32)
    outer = tl.load(scales_scale_ptr + at // 2048, mask=inside, other=0)
    mean = tl.load(mean_ptr)
    if MEANS:
        mean = tl.load(mean_ptr + at * 8 // columns, mask=inside, other=0)
    scale = tl.load(code_ptr + kept) * outer + mean
    v0, v1, v2, v3, v4, v5, v6, v7 = unpack_word(bits, values_ptr, SHIFTED)
    w0 = _pair(v0 * scale, v1 * scale, DTYPE)
    w1 = _pair(v2 * scale, v3 * scale, DTYPE)
    w2 = _pair(v4 * scale, v5 * scale, DTYPE)
    w3 = _pair(v6 * scale, v7 * scale, DTYPE)
    four = tl.reshape(tl.join(tl.join(w0, w2), tl.join(w1, w3)), (BLOCK, 4))
    place = word[:, None] * 4 + tl.arange(0, 4)[None, :]
    tl.store(out_ptr + place, four, mask=inside[:, None])


@triton.jit
def _pair(first: tl.tensor, second: tl.tensor, DTYPE: tl.constexpr) -> tl.tensor:
    """Two values in 16 bits each as one word, which is stored as it is."""
    low = first.to(DTYPE).to(tl.int16, bitcast=True).to(tl.int32) & 0xFFFF
    return low | (second.to(DTYPE).to(tl.int16, bitcast=True).to(tl.int32) << 16)
