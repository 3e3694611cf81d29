"""The vision tower's rotary embedding with a third less memory at its widest moment.

transformers turns queries and keys side by side, in float32, and keeps every step of it: for an
image of 1120x1120 pixels that is the most that a whole answer takes. Here one comes after the
other, in place; the numbers are the same.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

_NAME = "apply_rotary_pos_emb_vision"


def use_lean_rotary(visual: Any) -> None:
    """Let the classes of this tower turn in place from now on, where they do it as GLM's do."""
    module = sys.modules[type(visual.blocks[0].attn).__module__]
    if hasattr(module, _NAME):
        setattr(module, _NAME, turn_both)


def turn_both(
    q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn queries and keys in place.

    Args:
        q, k: (patches, heads, head_dim); the first half of a head is turned with the second.
        cos, sin: (patches, head_dim).
    """
    cos, sin = cos.unsqueeze(-2).float(), sin.unsqueeze(-2).float()
    return _turned(q, cos, sin), _turned(k, cos, sin)


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    wide = x.float()
    first, second = wide.chunk(2, dim=-1)
    crossed = torch.cat((-second, first), dim=-1).mul_(sin)
    if wide is x:  # float32 already, and still needed as it is
        return x * cos + crossed
    return x.copy_(wide.mul_(cos).add_(crossed))
