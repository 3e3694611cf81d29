"""Weights as the kernels read them."""

from __future__ import annotations

from typing import NamedTuple

import torch

from glm4v_tui.inference.quantized.kernels import Nf4


class Int8(NamedTuple):
    """Rows in 8 bits: the value is ``weight * scale / 127``."""

    weight: torch.Tensor
    """int8 (rows, columns)."""
    scale: torch.Tensor
    """float32 (rows,)."""


Weight = torch.Tensor | Int8 | Nf4
"""(rows, columns) in 16 bits, or packed; of NF4 the columns are those of the inputs.

``scales_mean`` of an NF4 matrix may have a value for each row: those of several matrices in one.
"""


def rows_of(weight: Weight, columns: int) -> int:
    if isinstance(weight, Nf4):
        return weight.weight.numel() * 2 // columns
    return len(weight) if isinstance(weight, torch.Tensor) else len(weight.weight)


def means_of(weight: Nf4) -> int:
    """The step from one row's mean to the next's: 0 where all rows have the same."""
    return int(weight.scales_mean.numel() > 1)
