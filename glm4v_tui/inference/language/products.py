"""The matrices of a step: several with the same inputs as one, and as kernels read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from glm4v_tui.inference import kernels
from glm4v_tui.inference.quantized.layers import Int8Linear, Nf4Linear
from glm4v_tui.precision import NF4_BLOCK, NF4_SCALES_BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glm4v_tui.inference.kernels import Weight


class Product:
    """A matrix, or several with the same inputs whose results stand side by side."""

    def __init__(self, *modules: Any) -> None:
        """Take the modules' matrices.

        The first stays as it is, and the others become views of one, where that can be. Large ones
        joined would leave holes of their size in the GPU's memory, a gigabyte in all; small ones
        apart would be a launch for each.
        """
        first, *others = modules
        self._parts = [_part(first), *_joined(others)]
        self._rows = [kernels.rows_of(weight, first.in_features) for weight, _ in self._parts]

    @property
    def weights(self) -> list[Weight]:
        return [weight for weight, _ in self._parts]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, columns) to (tokens, rows of all), by the kernels."""
        if len(self._parts) == 1:
            weight, bias = self._parts[0]
            return kernels.linear(x, weight, bias)
        if len(x) > 1:
            return torch.cat([kernels.linear(x, *part) for part in self._parts], dim=-1)
        result = x.new_empty(1, sum(self._rows))
        for part, out in zip(self._parts, torch.split(result, self._rows, dim=1), strict=True):
            kernels.linear(x, *part, out=out)
        return result

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


def add_product(total: torch.Tensor, module: Any, x: torch.Tensor) -> None:
    """What a linear layer makes of (n, columns), added in place to (n, rows)."""
    is_known = type(module) in (nn.Linear, Int8Linear, Nf4Linear) and module.bias is None
    if is_known and kernels.is_usable(x):
        kernels.add_linear_(total, x, _part(module)[0])
    else:
        total.add_(module(x))


def _joined(modules: Sequence[Any]) -> list[tuple[Weight, torch.Tensor | None]]:
    if not modules:
        return []
    one = joined_packed(modules) if len(modules) > 1 else None
    return [one] if one is not None else [_part(some) for some in _together(modules)]


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


def joined_packed(modules: Sequence[Any]) -> tuple[Weight, torch.Tensor | None] | None:
    """Several packed matrices as one, of which they become views; None where they cannot."""
    kinds = {type(module) for module in modules}
    on_gpu = all(module.weight.is_cuda for module in modules)
    if kinds == {Int8Linear}:
        weight = torch.cat([module.weight.data for module in modules])
        scale = torch.cat([module.scale for module in modules])
        _give_parts(modules, {"weight": weight, "scale": scale}, lambda _: 1)
        return kernels.Int8(weight, scale), _bias_of(modules)
    if kinds != {Nf4Linear} or not on_gpu:  # the plain product knows one mean
        return None
    if any(module.rows * module.columns % _NF4_UNIT for module in modules):
        return None
    kept = {name: torch.cat([getattr(module, name) for module in modules]) for name in _NF4_PARTS}
    means = torch.cat([module.scales_mean.expand(module.rows) for module in modules])
    shares = {"weight": 2, "scales": NF4_BLOCK, "scales_scale": _NF4_UNIT}
    _give_parts(modules, kept, lambda name: modules[0].columns / shares[name])
    return kernels.Nf4(**kept, scales_mean=means), _bias_of(modules)


_NF4_PARTS = ("weight", "scales", "scales_scale")
_NF4_UNIT = NF4_BLOCK * NF4_SCALES_BLOCK
"""Weights that share a scale of scales."""


def _give_parts(
    modules: Sequence[Any], kept: dict[str, torch.Tensor], per_row: Callable[[str], float]
) -> None:
    """Let each module have its rows of the tensors.

    Args:
        per_row: Elements that a row has in the tensor of this name; of INT8 rows themselves.
    """
    start = 0
    for module in modules:
        end = start + module.rows
        module.take(
            {
                name: tensor[int(start * per_row(name)) : int(end * per_row(name))]
                for name, tensor in kept.items()
            }
        )
        start = end


def _bias_of(modules: Sequence[Any]) -> torch.Tensor | None:
    biases = [module.bias for module in modules]
    return None if biases[0] is None else torch.cat([bias.data for bias in biases])
