"""Launches of what is done in place to the results of products with many tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.inference.kernels.in_place_kernels import gate_kernel, turn_kernel
from glm4v_tui.inference.kernels.launches import power_of_two

if TYPE_CHECKING:
    import torch

_COLUMNS = 2048
"""Of a piece of a gate's row: 16 bytes for each thread of eight warps."""


def turn(qkv: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> None:
    tokens, _, heads, head_dim = qkv.shape
    half = head_dim // 2
    turn_kernel[(2 * tokens,)](
        *(qkv, cos, sin, heads, half, power_of_two(heads), power_of_two(half)),
        num_warps=4,
        enable_fp_fusion=False,  # sums and products are rounded where the model rounds them
    )


def gate(gate: torch.Tensor, up: torch.Tensor) -> None:
    rows, columns = gate.shape
    block = min(_COLUMNS, power_of_two(columns))
    gate_kernel[(rows, -(-columns // block))](
        *(gate, up, gate.stride(0), up.stride(0), columns), BLOCK=block, num_warps=8
    )
