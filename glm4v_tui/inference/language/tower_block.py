"""A block of GLM's vision tower, on transformers' modules: ten launches, and what unpacks weights.

Beside the block's input, which its caller holds, at most the residual, one part's input and the two
products of the gate are alive.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from glm4v_tui.inference import kernels
from glm4v_tui.inference.language.products import add_product

if TYPE_CHECKING:
    from collections.abc import Callable

    Forward = Callable[..., Any]
    Angles = tuple[torch.Tensor, torch.Tensor]


def may(module: Any) -> bool:
    """Whether what it is asked for now is what is known: attention that writes no scores, and no
    gradients."""
    return module.config._attn_implementation == "sdpa" and not torch.is_grad_enabled()


class Lengths:
    """How many patches each image has; read from the device once for all blocks."""

    def __init__(self) -> None:
        self._ends: torch.Tensor | None = None
        self._lengths: list[int] = []

    def __call__(self, ends: torch.Tensor) -> list[int]:
        if ends is not self._ends:
            self._lengths = [stop - start for start, stop in pairwise(ends.tolist())]
            self._ends = ends
        return self._lengths


def through_block(
    block: Any,
    forward: Forward,
    lengths: Lengths,
    hidden_states: torch.Tensor,
    cu_seqlens: torch.Tensor,
    position_embeddings: Angles | None = None,
    **more: Any,
) -> torch.Tensor:
    """As the block's own: (patches, width) to the same."""
    if position_embeddings is None or set(more) - {"max_seqlen"} or not may(block.attn):
        result: torch.Tensor = forward(
            hidden_states, cu_seqlens=cu_seqlens, position_embeddings=position_embeddings, **more
        )
        return result
    mlp, norm = block.mlp, block.norm2
    made = block.attn.proj(
        _attended(block, hidden_states, lengths(cu_seqlens), position_embeddings)
    )
    made, fed = kernels.add_rms_norm(
        hidden_states, made, None, norm.weight, norm.variance_epsilon, added=made
    )
    gated = kernels.gate_(mlp.gate_proj(fed), mlp.up_proj(fed))
    del fed
    add_product(made, mlp.down_proj, gated)
    return made


def _attended(block: Any, hidden: torch.Tensor, lengths: list[int], angles: Angles) -> torch.Tensor:
    """What the patches of each image see of each other, (patches, width)."""
    attention = block.attn
    qkv = attention.qkv(normed(block.norm1, hidden))
    qkv = qkv.view(len(hidden), 3, attention.num_heads, attention.head_dim)
    kernels.turn_(qkv, *angles)
    seen = [_seen(own, attention.scaling) for own in qkv.split(lengths)]
    return seen[0] if len(seen) == 1 else torch.cat(seen)


def _seen(qkv: torch.Tensor, scale: float) -> torch.Tensor:
    """Attention of one image; strides are those of the layout that cuDNN knows as packed."""
    patches, _, heads, head_dim = qkv.shape
    by_head = qkv.view(1, patches, 3, heads, head_dim).permute(2, 0, 3, 1, 4)
    queries, keys, values = by_head.unbind(0)
    found = scaled_dot_product_attention(queries, keys, values, scale=scale)
    return found.transpose(1, 2).reshape(patches, heads * head_dim)


def normed(norm: Any, hidden: torch.Tensor) -> torch.Tensor:
    return kernels.rms_norm(hidden, norm.weight, norm.variance_epsilon)
