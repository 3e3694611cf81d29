"""What the kernels mean, in plain torch: for CPUs, and where Triton is missing."""

from __future__ import annotations

import torch
from torch.nn import functional

from glm4v_tui.inference.kernels.formats import Int8, Weight, means_of, rows_of
from glm4v_tui.inference.quantized.kernels import Nf4, nf4_product, nf4_unpack


def linear(x: torch.Tensor, weight: Weight, bias: torch.Tensor | None) -> torch.Tensor:
    if isinstance(weight, Nf4):
        shape = (rows_of(weight, x.shape[1]), x.shape[1])
        if means_of(weight):
            return functional.linear(x, nf4_unpack(weight, shape, x.dtype), bias)
        return nf4_product(x, weight, shape, bias)
    if isinstance(weight, Int8):
        product = functional.linear(x, weight.weight.to(x.dtype)).float()
        product *= weight.scale / 127
        return (product if bias is None else product + bias).to(x.dtype)
    return functional.linear(x, weight, bias)


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    wide = x.float()
    wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return weight * wide.to(x.dtype)


def add_rms_norm(
    residual: torch.Tensor,
    y: torch.Tensor,
    post_weight: torch.Tensor | None,
    weight: torch.Tensor,
    eps: float,
    added: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    y = y if post_weight is None else rms_norm(y, post_weight, eps)
    added = torch.add(residual, y, out=added)
    return added, rms_norm(added, weight, eps)


def layer_norm_add_(
    residual: torch.Tensor,
    y: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    eps: float,
) -> torch.Tensor:
    normed = functional.layer_norm(y, weight.shape, weight, bias, eps)
    return torch.add(residual, normed, out=y)


def gate_(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return functional.silu(gate, inplace=True).mul_(up)


_TURNED_AT_ONCE = 512
"""Tokens; float32 copies of all would be the most that a tower takes."""


def turn_(qkv: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> None:
    parts = [torch.split(part, _TURNED_AT_ONCE) for part in (qkv[:, :2], cos, sin)]
    for some, angles, crossing in zip(*parts, strict=True):
        wide = some.float()
        first, second = wide.chunk(2, dim=-1)
        crossed = torch.cat((-second, first), dim=-1)
        crossed *= crossing.float()[:, None, None]
        some.copy_(wide.mul_(angles.float()[:, None, None]).add_(crossed))


def rotate(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """(batch, heads, head_dim), of which the first cos.shape[1] dimensions are turned."""
    turned, kept = heads[..., : cos.shape[1]], heads[..., cos.shape[1] :]
    crossed = torch.stack((-turned[..., 1::2], turned[..., 0::2]), dim=-1).flatten(-2)
    dtype = heads.dtype
    turned = turned * cos[:, None].to(dtype) + crossed * sin[:, None].to(dtype)
    return torch.cat((turned, kept), dim=-1)


def rotary_and_cache(
    qkv: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    k_cache: torch.Tensor,
    v_cache: torch.Tensor,
    length: torch.Tensor,
) -> torch.Tensor:
    batch, kv_heads, _, dim = k_cache.shape
    heads = qkv.view(batch, -1, dim)
    q, k, v = heads[:, : -2 * kv_heads], heads[:, -2 * kv_heads : -kv_heads], heads[:, -kv_heads:]
    row = ((length >= 0) & (length < k_cache.shape[2])).nonzero().squeeze(1)
    at = length[row].long()
    k_cache[row, :, at] = rotate(k, cos, sin)[row]
    v_cache[row, :, at] = v[row]
    return rotate(q, cos, sin)


def decode_attention(
    q: torch.Tensor,
    k_cache: torch.Tensor,
    v_cache: torch.Tensor,
    length: torch.Tensor,
    scale: float,
) -> torch.Tensor:
    found = torch.zeros_like(q)
    for row, last in enumerate(length.tolist()):  # rows that see nothing of each other's padding
        if last >= 0:
            own = slice(row, row + 1)
            found[own] = functional.scaled_dot_product_attention(
                q[own, :, None],
                k_cache[own, :, : last + 1],
                v_cache[own, :, : last + 1],
                scale=scale,
                enable_gqa=q.shape[1] != k_cache.shape[1],
            )[:, :, 0]
    return found
