"""Products of many tokens with packed weights, some rows of them at a time made whole.

So many tokens are bound by arithmetic: making weights whole costs less than what a product on the
tensor cores gains over any that takes packed ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from glm4v_tui.inference.kernels.formats import Int8, rows_of
from glm4v_tui.inference.quantized.kernels import scale_code

if TYPE_CHECKING:
    from glm4v_tui.inference.quantized.kernels import Nf4

_WORDS = 256
WEIGHTS_AT_ONCE = 1 << 25
"""Weights that are made whole at a time: 64 MiB in 16 bits."""


def multiply_in_pieces(
    x: torch.Tensor, weight: Int8 | Nf4, bias: torch.Tensor | None
) -> torch.Tensor:
    """``x @ weight.T + bias``, (n, columns) to (n, rows)."""
    columns = x.shape[1]
    rows = rows_of(weight, columns)
    step = min(rows, max(1, WEIGHTS_AT_ONCE // columns))
    result = x.new_empty(len(x), rows)
    whole = x.new_empty(step, columns)
    for first in range(0, rows, step):
        some = slice(first, min(rows, first + step))
        piece = whole[: some.stop - first]
        _make_whole(weight, some, piece)
        torch.mm(x, piece.t(), out=result[:, some])
    if isinstance(weight, Int8) and _scales_later(x):
        result *= (weight.scale / 127).to(x.dtype)
    if bias is not None:
        result += bias
    return result


def _make_whole(weight: Int8 | Nf4, some: slice, out: torch.Tensor) -> None:
    """Rows of a matrix into ``out``; those of INT8 without their scales, see below."""
    if not isinstance(weight, Int8):
        unpack_nf4(weight, some.start, out)
    elif _scales_later(out):
        out.copy_(weight.weight[some])
    else:
        scale = (weight.scale[some, None] / 127).to(out.dtype)
        torch.mul(weight.weight[some], scale, out=out)


def _scales_later(like: torch.Tensor) -> bool:
    """bfloat16 holds whole numbers of 8 bits, and sums of them; float16 sums would overflow."""
    return like.dtype == torch.bfloat16


def unpack_nf4(weight: Nf4, first: int, out: torch.Tensor) -> None:
    """Rows from ``first`` on into ``out``, (rows, columns), which says how many."""
    import triton
    import triton.language as tl

    from glm4v_tui.inference.kernels.nf4_words import nf4_values
    from glm4v_tui.inference.kernels.unpack_kernels import nf4_words_kernel

    rows, columns = out.shape
    count = rows * columns // 8
    nf4_words_kernel[(triton.cdiv(count, _WORDS),)](
        weight.weight.view(torch.int32),
        *(weight.scales, weight.scales_scale, weight.scales_mean, scale_code(out.device)),
        *(nf4_values(out.device), out.view(torch.int32), first * columns // 8, count),
        DTYPE=tl.bfloat16 if out.dtype == torch.bfloat16 else tl.float16,
        BLOCK=_WORDS,
        SHIFTED=0 if out.is_cuda else -1,
        num_warps=4,
    )
