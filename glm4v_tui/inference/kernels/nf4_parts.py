"""What both kernels of one token and NF4 are made of.

Tiles of weights are (rows, words), two-dimensional and whole rows long: that lays the threads of a
program along the columns in every version of Triton, so that a thread's part of x serves all rows.
"""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.nf4_words import BETA, unpack_word


@triton.jit
def raw_scales(
    block: tl.tensor, inside: tl.tensor, scales_ptr: tl.tensor, scales_scale_ptr: tl.tensor
) -> tl.tensor:
    """The blocks' scales as they are kept, and the scales of those."""
    kept = tl.load(scales_ptr + block, mask=inside, other=0)
    return kept, tl.load(scales_scale_ptr + block // 256, mask=inside, other=0)


@triton.jit
def eights(
    x_ptr: tl.tensor,
    start: tl.tensor,
    COLUMNS: tl.constexpr,
    WORDS: tl.constexpr,
    DTYPE: tl.constexpr,
) -> tl.tensor:
    """The eight neighbours in x that meet each word, float32 of (words,) each.

    ``x_ptr`` is to words of 32 bits, two inputs each; ``start`` counts words of weights.
    """
    pair = start * 4 + tl.arange(0, WORDS * 4)
    pairs = tl.load(x_ptr + pair, mask=pair < COLUMNS // 2, other=0)
    even, odd = tl.split(tl.reshape(pairs, (WORDS, 2, 2)))
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
def block_sums(
    weight: tl.tensor,
    x0: tl.tensor, x1: tl.tensor, x2: tl.tensor, x3: tl.tensor,
    x4: tl.tensor, x5: tl.tensor, x6: tl.tensor, x7: tl.tensor,
    values_ptr: tl.tensor,
    ROWS: tl.constexpr,
    WORDS: tl.constexpr,
    SHIFTED: tl.constexpr,
) -> tl.tensor:  # fmt: skip
    """(rows, words) of weights by x: (rows, blocks) sums, yet without their scale."""
    v0, v1, v2, v3, v4, v5, v6, v7 = unpack_word(weight, values_ptr, SHIFTED)
    sums = v0 * x0[None, :]
    sums += v1 * x1[None, :]
    sums += v2 * x2[None, :]
    sums += v3 * x3[None, :]
    sums += v4 * x4[None, :]
    sums += v5 * x5[None, :]
    sums += v6 * x6[None, :]
    sums += v7 * x7[None, :]
    return tl.sum(tl.reshape(sums, (ROWS, WORDS // 8, 8)), axis=2)


@triton.jit
def shift_of(
    x0: tl.tensor,
    x1: tl.tensor,
    x2: tl.tensor,
    x3: tl.tensor,
    WORDS: tl.constexpr,
    SHIFTED: tl.constexpr,
) -> tl.tensor:
    """What :func:`block_sums` is too large by, (1, blocks): BETA times the inputs concerned."""
    shift = tl.zeros((WORDS,), tl.float32)
    if SHIFTED == 4:
        shift = x0 + x1 + x2 + x3
    return tl.sum(tl.reshape(shift, (WORDS // 8, 8)), axis=1)[None, :] * BETA
