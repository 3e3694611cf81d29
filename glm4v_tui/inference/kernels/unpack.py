"""Launches of the unpacking."""

from __future__ import annotations

import torch
import triton

from glm4v_tui.inference.kernels.formats import Int8, rows_of
from glm4v_tui.inference.kernels.nf4_words import nf4_values
from glm4v_tui.inference.kernels.unpack_kernels import int8_rows_kernel, nf4_words_kernel
from glm4v_tui.inference.quantized.kernels import Nf4, scale_code

_COLUMNS = 4096
_WORDS = 256


def unpack_rows(weight: Int8 | Nf4, first: int, out: torch.Tensor) -> None:
    """Rows from ``first`` on into ``out``, (rows, columns), which says how many."""
    rows, columns = out.shape
    if isinstance(weight, Int8):
        grid = (rows, triton.cdiv(columns, _COLUMNS))
        int8_rows_kernel[grid](*weight, out, first, columns, BLOCK=_COLUMNS, num_warps=8)
        return
    count = rows * columns // 8
    nf4_words_kernel[(triton.cdiv(count, _WORDS),)](
        weight.weight.view(torch.int32),
        *(weight.scales, weight.scales_scale, weight.scales_mean, scale_code(out.device)),
        *(nf4_values(out.device), out, first * columns // 8, count),
        BLOCK=_WORDS,
        FAST=1 if out.is_cuda else 0,
        num_warps=4,
    )


WEIGHTS_AT_ONCE = 1 << 25
"""Weights that are made whole at a time: 64 MiB in 16 bits."""


def multiply_in_pieces(
    x: torch.Tensor, weight: Int8 | Nf4, bias: torch.Tensor | None
) -> torch.Tensor:
    """``x @ weight.T + bias`` for many tokens, (n, columns) to (n, rows)."""
    columns = x.shape[1]
    rows = rows_of(weight, columns)
    step = min(rows, max(1, WEIGHTS_AT_ONCE // columns))
    result = x.new_empty(len(x), rows)
    whole = x.new_empty(step, columns)
    for first in range(0, rows, step):
        some = slice(first, min(rows, first + step))
        piece = whole[: some.stop - first]
        unpack_rows(weight, first, piece)
        if bias is None:
            torch.mm(x, piece.t(), out=result[:, some])
        else:
            torch.addmm(bias[some], x, piece.t(), out=result[:, some])
    return result
