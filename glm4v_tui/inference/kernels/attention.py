"""Launches of the attention's kernels."""

from __future__ import annotations

import torch

from glm4v_tui.inference.kernels.attention_kernels import (
    attention_kernel,
    combine_kernel,
    rotary_kernel,
)
from glm4v_tui.inference.kernels.availability import starts_early
from glm4v_tui.inference.kernels.early import early
from glm4v_tui.inference.kernels.launches import power_of_two
from glm4v_tui.inference.kernels.prompt_rotary_kernels import prompt_rotary_kernel

_PROGRAMS = 128
"""Parts times key heads times rows: about one for each multiprocessor, two for a long cache."""
_LONG = 8192
_BLOCK_KEYS = 64
_WARPS = 4
_FEW = 64
"""Rows up to which rotary has a program for each head: more keep a GPU busy without."""


def rotary_and_cache(
    qkv: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    k_cache: torch.Tensor,
    v_cache: torch.Tensor,
    length: torch.Tensor,
    out: torch.Tensor,
) -> None:
    batch, kv_heads, capacity, dim = k_cache.shape
    heads = out.shape[1]
    given = (
        *(qkv, cos, sin, k_cache, v_cache, length, out),
        *(k_cache.stride(0), k_cache.stride(1), capacity),
        *(heads, kv_heads, dim, cos.shape[1], power_of_two(dim)),
    )
    # Products are rounded before they are added, as in the model: not fused.
    if batch > _FEW:
        blocks = power_of_two(heads), power_of_two(kv_heads)
        prompt_rotary_kernel[(batch,)](*given, *blocks, num_warps=4, enable_fp_fusion=False)
        return
    is_early = starts_early(qkv)
    rotary_kernel[(heads + 2 * kv_heads, batch)](
        *given, is_early, num_warps=1, enable_fp_fusion=False, **early(is_early)
    )


def decode_attention(
    q: torch.Tensor,
    k_cache: torch.Tensor,
    v_cache: torch.Tensor,
    length: torch.Tensor,
    scale: float,
    out: torch.Tensor,
) -> None:
    batch, heads, dim = q.shape
    kv_heads, capacity = k_cache.shape[1:3]
    splits = splits_of(batch * kv_heads, capacity)
    parts = torch.empty(batch, heads, splits, dim, dtype=torch.float32, device=q.device)
    weights = torch.empty(batch, heads, splits, dtype=torch.float32, device=q.device)
    block_d = max(16, power_of_two(dim))
    is_early = starts_early(q)
    attention_kernel[(splits, kv_heads, batch)](
        *(q, k_cache, v_cache, length, parts, weights, scale),
        *(k_cache.stride(0), k_cache.stride(1), kv_heads, heads // kv_heads, dim),
        *(max(16, power_of_two(heads // kv_heads)), block_d, _BLOCK_KEYS, splits),
        is_early,
        num_warps=_WARPS,
        num_stages=2,
        **early(is_early),
    )
    combine_kernel[(heads, batch)](
        *(parts, weights, length, out, heads, dim, block_d, _BLOCK_KEYS, splits, is_early),
        num_warps=4,
        **early(is_early),
    )


def splits_of(key_heads: int, capacity: int) -> int:
    """Parts for so many key heads of all rows together: a power of two."""
    programs = _PROGRAMS * (2 if capacity > _LONG else 1)
    return max(1, min(128, power_of_two(programs // key_heads)))
