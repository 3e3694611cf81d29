"""What both kernels of one token and NF4 are made of.

The columns are taken in halves of a block, 32 weights in four words: 16 bytes of a thread.
"""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.nf4_words import BETA, unpack_word


@triton.jit
def scales(
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
def eights(
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
def word_sums(
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
    SHIFTED: tl.constexpr,
) -> tl.tensor:
    """(rows, halves, 4) words of weights by x: (rows, halves) sums, yet without their scale."""
    v0, v1, v2, v3, v4, v5, v6, v7 = unpack_word(weight, values_ptr, SHIFTED)
    sums = v0 * x0[None, :, :]
    sums += v1 * x1[None, :, :]
    sums += v2 * x2[None, :, :]
    sums += v3 * x3[None, :, :]
    sums += v4 * x4[None, :, :]
    sums += v5 * x5[None, :, :]
    sums += v6 * x6[None, :, :]
    sums += v7 * x7[None, :, :]
    return tl.sum(sums, axis=2)


@triton.jit
def shift_of(
    x0: tl.tensor, x1: tl.tensor, x2: tl.tensor, x3: tl.tensor,
    x4: tl.tensor, x5: tl.tensor, x6: tl.tensor, x7: tl.tensor,
    HALVES: tl.constexpr,
    SHIFTED: tl.constexpr,
) -> tl.tensor:  # fmt: skip
    """What :func:`word_sums` is too large by, (halves,): BETA times its first SHIFTED inputs."""
    shift = tl.zeros((HALVES,), tl.float32)
    if SHIFTED >= 4:
        shift = tl.sum(x0 + x1 + x2 + x3, axis=1)
    if SHIFTED == 8:
        shift += tl.sum(x4 + x5 + x6 + x7, axis=1)
    return shift * BETA


@triton.jit
def raw_scales(
    block: tl.tensor, inside: tl.tensor, scales_ptr: tl.tensor, scales_scale_ptr: tl.tensor
) -> tl.tensor:
    """A block's scale as it is kept, and the scale of that."""
    kept = tl.load(scales_ptr + block, mask=inside, other=0)
    return kept, tl.load(scales_scale_ptr + block // 256, mask=inside, other=0)
