"""The matrices of a step: several with the same inputs as one, and as kernels read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from glm4v_tui.inference import kernels
from glm4v_tui.inference.quantized.layers import Int8Linear, Nf4Linear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.inference.kernels import Weight


class Product:
    """A matrix, or several with the same inputs whose results stand side by side."""

    def __init__(self, *modules: Any) -> None:
        """Take the modules' matrices; where it can be, they become views of one."""
        self._parts = [_part(some) for some in _together(modules)]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, columns) to (tokens, rows of all), by the kernels."""
        made = [kernels.linear(x, weight, bias) for weight, bias in self._parts]
        return made[0] if len(made) == 1 else torch.cat(made, dim=-1)

    def swiglu(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, columns) to (tokens, rows / 2): the first half gates the second."""
        ((weight, _),) = self._parts
        return kernels.linear_swiglu(x, weight)


class PlainProduct:
    """The same by the modules themselves, whatever they are."""

    def __init__(self, *modules: Any) -> None:
        self._modules = _together(modules)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        made = [module(x) for module in self._modules]
        return made[0] if len(made) == 1 else torch.cat(made, dim=-1)


def _part(module: Any) -> tuple[Weight, torch.Tensor | None]:
    match module:
        case Int8Linear():
            return kernels.Int8(module.weight, module.scale), module.bias
        case Nf4Linear():
            return module.kept, module.bias
        case _:
            return module.weight, module.bias


def _together(modules: Sequence[Any]) -> Sequence[Any]:
    """One in place of several, where they are plain. The modules go on working, on its rows."""
    first = modules[0]
    if len(modules) == 1 or any(type(module) is not nn.Linear for module in modules):
        return modules
    weight = torch.cat([module.weight.data for module in modules])
    has_bias = first.bias is not None
    bias = torch.cat([module.bias.data for module in modules]) if has_bias else None
    one = nn.Linear(weight.shape[1], len(weight), bias=has_bias, device="meta")
    _give(one, weight, bias)
    start = 0
    for module in modules:
        some = slice(start, start + module.out_features)
        _give(module, weight[some], None if bias is None else bias[some])
        start = some.stop
    return [one]


def _give(linear: nn.Linear, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    linear.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias, requires_grad=False)
