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
"""(rows, columns) in 16 bits, or packed; of NF4 the columns are those of the inputs."""


def rows_of(weight: Weight, columns: int) -> int:
    if isinstance(weight, Nf4):
        return weight.weight.numel() * 2 // columns
    return len(weight) if isinstance(weight, torch.Tensor) else len(weight.weight)
