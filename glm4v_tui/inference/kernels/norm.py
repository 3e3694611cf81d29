"""Launches of the norms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import triton

from glm4v_tui.inference.kernels.availability import starts_early
from glm4v_tui.inference.kernels.early import early
from glm4v_tui.inference.kernels.norm_kernels import (
    add_rms_norm_kernel,
    layer_norm_add_kernel,
    rms_norm_kernel,
)

if TYPE_CHECKING:
    import torch

_WARPS = 8
_FEW = 64
"""Tokens up to which a launch counts; with more an early start gains nothing."""


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float, out: torch.Tensor) -> None:
    columns = x.shape[1]
    is_early = len(x) <= _FEW and starts_early(x)
    rms_norm_kernel[(len(x),)](
        *(x, weight, out, eps, columns, triton.next_power_of_2(columns), is_early),
        num_warps=_WARPS,
        enable_fp_fusion=False,  # sums and products are rounded where the model rounds them
        **early(is_early),
    )


def add_rms_norm(
    residual: torch.Tensor,
    y: torch.Tensor,
    post_weight: torch.Tensor | None,
    weight: torch.Tensor,
    eps: float,
    added: torch.Tensor,
    out: torch.Tensor,
) -> None:
    columns = y.shape[1]
    is_early = len(y) <= _FEW and starts_early(y)
    has_post = post_weight is not None
    add_rms_norm_kernel[(len(y),)](
        *(residual, y, post_weight if has_post else weight, weight, added, out, eps),
        *(columns, triton.next_power_of_2(columns), has_post, is_early),
        num_warps=_WARPS,
        enable_fp_fusion=False,  # sums and products are rounded where the model rounds them
        **early(is_early),
    )


def layer_norm_add(
    residual: torch.Tensor,
    y: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    eps: float,
) -> None:
    columns = y.shape[1]
    layer_norm_add_kernel[(len(y),)](
        *(residual, y, weight, bias, eps, columns, triton.next_power_of_2(columns)),
        num_warps=_WARPS,
    )
