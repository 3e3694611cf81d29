"""Products of many tokens with packed weights, some rows of them at a time made whole.

So many tokens are bound by arithmetic: making weights whole costs less than what a product on the
tensor cores gains over any that takes packed ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from glm4v_tui.inference.kernels.formats import Int8, means_of, rows_of
from glm4v_tui.inference.quantized.kernels import scale_code

if TYPE_CHECKING:
    from glm4v_tui.inference.quantized.kernels import Nf4

_WORDS = 256
_COLUMNS = 2048
_ALIGNED = 128
"""Rows of a piece are a multiple: the library has only slow products for results whose columns
begin anywhere."""
WEIGHTS_AT_ONCE = 1 << 25
"""Weights that are made whole at a time: 64 MiB in 16 bits."""


def multiply_in_pieces(
    x: torch.Tensor, weight: Int8 | Nf4, bias: torch.Tensor | None
) -> torch.Tensor:
    """``x @ weight.T + bias``, (n, columns) to (n, rows)."""
    columns = x.shape[1]
    rows = rows_of(weight, columns)
    step = min(rows, max(_ALIGNED, WEIGHTS_AT_ONCE // columns // _ALIGNED * _ALIGNED))
    result = x.new_empty(len(x), rows)
    whole = x.new_empty(step, columns)
    for first in range(0, rows, step):
        some = slice(first, min(rows, first + step))
        piece = whole[: some.stop - first]
        if isinstance(weight, Int8):
            unpack_int8(Int8(weight.weight[some], weight.scale[some]), piece)
        else:
            unpack_nf4(weight, first, piece)
        if bias is None:
            torch.mm(x, piece.t(), out=result[:, some])
        else:
            torch.addmm(bias[some], x, piece.t(), out=result[:, some])
    return result


def unpack_int8(weight: Int8, out: torch.Tensor) -> None:
    """A matrix into ``out``, (rows, columns)."""
    import triton

    from glm4v_tui.inference.kernels.unpack_kernels import int8_rows_kernel

    rows, columns = out.shape
    grid = (rows, triton.cdiv(columns, _COLUMNS))
    int8_rows_kernel[grid](*weight, out, columns, BLOCK=_COLUMNS, num_warps=4)


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
        *(nf4_values(out.device), out.view(torch.int32), first * columns // 8, count, columns),
        MEANS=means_of(weight),
        DTYPE=tl.bfloat16 if out.dtype == torch.bfloat16 else tl.float16,
        BLOCK=_WORDS,
        SHIFTED=0 if out.is_cuda else -1,
        num_warps=4,
    )
