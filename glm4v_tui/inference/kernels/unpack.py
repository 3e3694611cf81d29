"""Products of many tokens with packed weights, some rows of them at a time made whole.

So many tokens are bound by arithmetic: making weights whole costs less than what a product on the
tensor cores gains over any that takes packed ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton.language as tl

from glm4v_tui.inference.kernels.formats import Int8, means_of, rows_of
from glm4v_tui.inference.kernels.nf4_words import nf4_values
from glm4v_tui.inference.kernels.prepared import Prepared, is_aligned
from glm4v_tui.inference.kernels.unpack_kernels import int8_rows_kernel, nf4_words_kernel
from glm4v_tui.inference.quantized.kernels import scale_code

if TYPE_CHECKING:
    from glm4v_tui.inference.quantized.kernels import Nf4

_INT8_ROWS, _NF4_WORDS = Prepared(int8_rows_kernel), Prepared(nf4_words_kernel)
_DTYPES = {torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}
_WORDS = 256
_COLUMNS = 2048
_ALIGNED = 128
"""Rows of a piece are a multiple: the library has only slow products for results whose columns
begin anywhere."""
WEIGHTS_AT_ONCE = 1 << 25
"""Weights that are made whole at a time: 64 MiB in 16 bits."""


def multiply_in_pieces(
    x: torch.Tensor,
    weight: Int8 | Nf4,
    bias: torch.Tensor | None,
    onto: torch.Tensor | None = None,
) -> torch.Tensor:
    """``x @ weight.T + bias``, (n, columns) to (n, rows).

    Args:
        onto: What the product is added to, in place, instead of the bias.
    """
    columns = x.shape[1]
    rows = rows_of(weight, columns)
    step = min(rows, max(_ALIGNED, WEIGHTS_AT_ONCE // columns // _ALIGNED * _ALIGNED))
    result = x.new_empty(len(x), rows) if onto is None else onto
    whole = x.new_empty(step, columns)
    if step == rows:  # nothing to cut: of small matrices the CPU's time is what counts
        _unpack(weight, 0, whole)
        _multiply(x, whole, bias if onto is None else onto, result)
        return result
    for first in range(0, rows, step):
        some = slice(first, min(rows, first + step))
        piece, part = whole[: some.stop - first], result[:, some]
        _unpack(weight, first, piece)
        _multiply(
            x, piece, part if onto is not None else None if bias is None else bias[some], part
        )
    return result


def _multiply(
    x: torch.Tensor, piece: torch.Tensor, to_add: torch.Tensor | None, out: torch.Tensor
) -> None:
    if to_add is None:
        torch.mm(x, piece.t(), out=out)
    else:
        torch.addmm(to_add, x, piece.t(), out=out)


def _unpack(weight: Int8 | Nf4, first: int, out: torch.Tensor) -> None:
    act = unpack_int8 if isinstance(weight, Int8) else unpack_nf4
    act(weight, first, out)  # type: ignore[arg-type]


def unpack_int8(weight: Int8, first: int, out: torch.Tensor) -> None:
    """Rows from ``first`` on into ``out``, (rows, columns), which says how many."""
    rows, columns = out.shape
    form = (out.device, out.dtype, columns, *map(is_aligned, (*weight, out)))
    grid, args = (rows, -(-columns // _COLUMNS), 1), (*weight, out, first, columns)
    _INT8_ROWS.launch(grid, form, args, {"BLOCK": _COLUMNS})


def unpack_nf4(weight: Nf4, first: int, out: torch.Tensor) -> None:
    """The same of NF4."""
    rows, columns = out.shape
    start, count, means = first * columns // 8, rows * columns // 8, means_of(weight)
    numbers = means, start % 16, count % 16, columns
    form = (out.device, out.dtype, *numbers, *map(is_aligned, (*weight, out)))
    args = (
        weight.weight.view(torch.int32),
        *(weight.scales, weight.scales_scale, weight.scales_mean, scale_code(out.device)),
        *(nf4_values(out.device), out.view(torch.int32), start, count, columns),
    )
    constants = {
        "MEANS": means,
        "DTYPE": _DTYPES[out.dtype],
        "BLOCK": _WORDS,
        "SHIFTED": 0 if out.is_cuda else -1,
    }
    _NF4_WORDS.launch((-(-count // _WORDS), 1, 1), form, args, constants)
