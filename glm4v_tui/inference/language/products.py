"""The matrices of a step, as kernels read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from glm4v_tui.inference.quantized.layers import Int8Linear, Nf4Linear

if TYPE_CHECKING:
    from collections.abc import Sequence


class Joined(NamedTuple):
    """Several matrices with the same inputs, as one."""

    modules: tuple[Any, ...]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, columns) to (tokens, rows of all)."""
        made = [module(x) for module in self.modules]
        return made[0] if len(made) == 1 else torch.cat(made, dim=-1)


def joined(modules: Sequence[Any]) -> Any:
    """One product for several; their weights become views of one matrix where they are plain.

    The modules go on working: each keeps its rows.
    """
    if not all(type(module) is nn.Linear for module in modules):
        return Joined(tuple(modules))
    weight = torch.cat([module.weight.data for module in modules])
    has_bias = modules[0].bias is not None
    bias = torch.cat([module.bias.data for module in modules]) if has_bias else None
    one = nn.Linear(weight.shape[1], len(weight), bias=has_bias, device="meta")
    _give(one, weight, bias)
    start = 0
    for module in modules:
        some = slice(start, start := start + module.out_features)
        _give(module, weight[some], None if bias is None else bias[some])
    return one


def _give(linear: nn.Linear, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    linear.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias, requires_grad=False)


def is_packed(module: Any) -> bool:
    return isinstance(module, Int8Linear | Nf4Linear)
