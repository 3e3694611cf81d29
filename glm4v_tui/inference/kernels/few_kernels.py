"""Two to sixteen tokens times an NF4 matrix; every weight is read once. See ``mma_words``.

A program has eight rows of two matrices, or sixteen of one, and shares their columns out to its
warps. A tile of words is (8 * parts, 8): row r of it is row ``r % 8`` of the matrix, in the columns
of part ``r // 8``. So the four lanes of a row hold two words each, which is what ``mma_words`` asks
for. The inputs are spread out before: pair j of the inputs that meet a word is in plane j.
"""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.early import let_next_start, wait
from glm4v_tui.inference.kernels.epilogue import finish
from glm4v_tui.inference.kernels.mma_words import (
    BY_8,
    BY_16,
    FACTOR,
    OFFSET,
    OPERANDS_8,
    OPERANDS_16,
)


@triton.jit
def spread_kernel(
    x_ptr: tl.tensor,
    planes_ptr: tl.tensor,
    sums_ptr: tl.tensor,
    tokens: tl.tensor,
    COLUMNS: tl.constexpr,
    TOKENS: tl.constexpr,
    BLOCK: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    """Inputs as pairs, (tokens, COLUMNS / 2) int32, to four planes of (TOKENS, COLUMNS / 8).

    And the sums of 64 neighbors, float32 (COLUMNS / 64, TOKENS).
    """
    let_next_start(EARLY)
    PAIRS: tl.constexpr = COLUMNS // 2
    token = tl.program_id(1)
    pair = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = pair < PAIRS
    wait(EARLY)
    both = tl.load(x_ptr + token * PAIRS + pair, mask=inside & (token < tokens), other=0)
    place = (pair % 4 * TOKENS + token) * (PAIRS // 4) + pair // 4
    tl.store(planes_ptr + place, both, mask=inside)
    value = (both << 16).to(tl.float32, bitcast=True) + (both & -65536).to(tl.float32, bitcast=True)
    block = tl.program_id(0) * (BLOCK // 32) + tl.arange(0, BLOCK // 32)
    sums = tl.sum(tl.reshape(value, (BLOCK // 32, 32)), axis=1)
    tl.store(sums_ptr + block * TOKENS + token, sums, mask=block < COLUMNS // 64)


@triton.jit
def nf4_few_kernel(
    planes_ptr: tl.tensor,
    sums_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    scales_ptr: tl.tensor,
    scales_scale_ptr: tl.tensor,
    scales_mean_ptr: tl.tensor,
    scale_code_ptr: tl.tensor,
    bias_ptr: tl.tensor,
    out_ptr: tl.tensor,
    tokens: tl.tensor,
    rows: tl.tensor,
    COLUMNS: tl.constexpr,
    TOKENS: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    SWIGLU: tl.constexpr,
    EARLY: tl.constexpr,
    MEANS: tl.constexpr,
    PARTS: tl.constexpr,
    UNROLL: tl.constexpr,
) -> None:
    """Weights as words of 32 bits, COLUMNS a multiple of 64: a part takes a block at a time."""
    WORDS: tl.constexpr = COLUMNS // 8
    BLOCKS: tl.constexpr = COLUMNS // 64
    each = tl.arange(0, 8 * PARTS)
    eight, part = each % 8, each // 8
    a, b = _rows(eight, rows, SWIGLU)
    own, eights = tl.arange(0, 8), tl.arange(0, 8)
    mean_a = tl.load(scales_mean_ptr + a * MEANS)
    mean_b = tl.load(scales_mean_ptr + b * MEANS)
    sum_a = tl.zeros((8 * PARTS, 8), tl.float32)
    sum_b = tl.zeros((8 * PARTS, 8), tl.float32)
    more_a, more_b = sum_a, sum_b
    plane = planes_ptr + eight[:, None] * WORDS + own[None, :]
    wait(EARLY)
    for first in range(0, BLOCKS, PARTS * UNROLL):
        for turn in tl.static_range(UNROLL):
            block = first + turn * PARTS + part
            inside = block < BLOCKS
            block = tl.minimum(block, BLOCKS - 1)
            at = (block * 8)[:, None] + own[None, :]
            word_a = tl.load(weight_ptr + (a * WORDS)[:, None] + at, eviction_policy="evict_first")
            word_b = tl.load(weight_ptr + (b * WORDS)[:, None] + at, eviction_policy="evict_first")
            here = plane + (block * 8)[:, None]
            x0 = tl.load(here)
            x1 = tl.load(here + TOKENS * WORDS)
            x2 = tl.load(here + 2 * TOKENS * WORDS)
            x3 = tl.load(here + 3 * TOKENS * WORDS)
            scale_a = _scale(
                a * BLOCKS + block, inside, mean_a, scales_ptr, scales_scale_ptr, scale_code_ptr
            )
            scale_b = _scale(
                b * BLOCKS + block, inside, mean_b, scales_ptr, scales_scale_ptr, scale_code_ptr
            )
            total = tl.load(sums_ptr + (block * TOKENS)[:, None] + eights[None, :]) * OFFSET
            if TOKENS == 8:
                found_a, found_b = tl.inline_asm_elementwise(
                    BY_8,
                    OPERANDS_8,
                    [word_a, word_b, x0, x1, x2, x3],
                    dtype=(tl.float32, tl.float32),
                    is_pure=True,
                    pack=2,
                )
            else:
                y0 = tl.load(here + 8 * WORDS)
                y1 = tl.load(here + (TOKENS + 8) * WORDS)
                y2 = tl.load(here + (2 * TOKENS + 8) * WORDS)
                y3 = tl.load(here + (3 * TOKENS + 8) * WORDS)
                found_a, found_b, also_a, also_b = tl.inline_asm_elementwise(
                    BY_16,
                    OPERANDS_16,
                    [word_a, word_b, x0, x1, x2, x3, y0, y1, y2, y3],
                    dtype=(tl.float32, tl.float32, tl.float32, tl.float32),
                    is_pure=True,
                    pack=2,
                )
                also = tl.load(sums_ptr + (block * TOKENS + 8)[:, None] + eights[None, :])
                also *= OFFSET
                more_a += scale_a[:, None] * (also_a * FACTOR - also)
                more_b += scale_b[:, None] * (also_b * FACTOR - also)
            sum_a += scale_a[:, None] * (found_a * FACTOR - total)
            sum_b += scale_b[:, None] * (found_b * FACTOR - total)
    let_next_start(EARLY)  # no earlier, see tile_kernels
    _write(sum_a, sum_b, 0, tokens, rows, bias_ptr, out_ptr, HAS_BIAS, SWIGLU, PARTS)
    if TOKENS == 16:
        _write(more_a, more_b, 8, tokens, rows, bias_ptr, out_ptr, HAS_BIAS, SWIGLU, PARTS)


@triton.jit
def _rows(eight: tl.tensor, rows: tl.tensor, SWIGLU: tl.constexpr) -> tl.tensor:
    """The matrix's rows a and b of each row of a tile."""
    if SWIGLU:
        a = tl.minimum(tl.program_id(0) * 8 + eight, rows - 1)
        b = a + rows
    else:
        a = tl.minimum(tl.program_id(0) * 16 + eight, rows - 1)
        b = tl.minimum(tl.program_id(0) * 16 + 8 + eight, rows - 1)
    return a.to(tl.int64), b.to(tl.int64)


@triton.jit
def _scale(
    at: tl.tensor,
    inside: tl.tensor,
    mean: tl.tensor,
    scales_ptr: tl.tensor,
    scales_scale_ptr: tl.tensor,
    scale_code_ptr: tl.tensor,
) -> tl.tensor:
    """Of a block of weights; 0 where there is none."""
    kept = tl.load(scales_ptr + at).to(tl.int32)
    scale = tl.load(scale_code_ptr + kept) * tl.load(scales_scale_ptr + at // 256) + mean
    return tl.where(inside, scale, 0.0)


@triton.jit
def _write(
    sum_a: tl.tensor,
    sum_b: tl.tensor,
    begin: tl.constexpr,
    tokens: tl.tensor,
    rows: tl.tensor,
    bias_ptr: tl.tensor,
    out_ptr: tl.tensor,
    HAS_BIAS: tl.constexpr,
    SWIGLU: tl.constexpr,
    PARTS: tl.constexpr,
) -> None:
    """The sums of all parts, for eight tokens from ``begin`` on."""
    eight = tl.arange(0, 8)
    token = begin + tl.arange(0, 8)
    whole_a = tl.sum(tl.reshape(sum_a, (PARTS, 8, 8)), axis=0)
    whole_b = tl.sum(tl.reshape(sum_b, (PARTS, 8, 8)), axis=0)
    a, b = _rows(eight, rows, SWIGLU)
    if HAS_BIAS:
        whole_a += tl.load(bias_ptr + a).to(tl.float32)[:, None]
        whole_b += tl.load(bias_ptr + b).to(tl.float32)[:, None]
    DTYPE: tl.constexpr = out_ptr.dtype.element_ty
    known = (token < tokens)[None, :]
    if SWIGLU:
        row = tl.program_id(0) * 8 + eight
        place = token[None, :] * rows + row[:, None]
        result = finish(whole_a, whole_b, DTYPE, True)
        tl.store(out_ptr + place, result, mask=known & (row < rows)[:, None])
    else:
        row = tl.program_id(0) * 16 + eight
        place = token[None, :] * rows + row[:, None]
        tl.store(out_ptr + place, whole_a.to(DTYPE), mask=known & (row < rows)[:, None])
        tl.store(out_ptr + place + 8, whole_b.to(DTYPE), mask=known & (row + 8 < rows)[:, None])
