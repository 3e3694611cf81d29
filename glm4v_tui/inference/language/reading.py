"""Prompts read into the cache, many tokens at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from glm4v_tui.inference.language.stack import rotated

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.inference.language.kv_cache import CacheRows, KvCache
    from glm4v_tui.inference.language.stack import Layer, Stack

TOKENS_AT_ONCE = 4096
"""Longer prompts go through the layers in parts, which bounds what is at work."""


class Stopped(Exception):  # noqa: N818 - not an error
    """Reading was to be stopped."""


def read(
    stack: Stack,
    cache: KvCache | CacheRows,
    start: int,
    embedded: torch.Tensor,
    positions: torch.Tensor,
    should_stop: Callable[[], bool] = lambda: False,
) -> torch.Tensor:
    """Read tokens after the first ``start`` of the cache, which must have room for them.

    Args:
        embedded: (tokens, hidden): the tokens' vectors, those of images among them.
        positions: (axes, tokens).
        should_stop: Asked before each layer.

    Returns:
        What the head is given for the last token: (1, hidden).

    Raises:
        Stopped: it was to stop. The cache holds ``start`` tokens, as before.
    """
    hidden = embedded
    for first in range(0, len(embedded), TOKENS_AT_ONCE):
        some = slice(first, first + TOKENS_AT_ONCE)
        hidden = _read_part(
            *(stack, cache, start + first, embedded[some], positions[:, some], should_stop)
        )
    last: torch.Tensor = stack.norm(hidden[-1:])
    return last


def _read_part(
    stack: Stack,
    cache: KvCache | CacheRows,
    start: int,
    hidden: torch.Tensor,
    positions: torch.Tensor,
    should_stop: Callable[[], bool],
) -> torch.Tensor:
    cos, sin = stack.angles(positions)
    for number, layer in enumerate(stack.layers):
        if should_stop():
            raise Stopped
        keys, values = cache.keys[number][0], cache.values[number][0]
        seen = _attend(stack, layer, layer.norm_before_attention(hidden), cos, sin,
                       keys, values, start)  # fmt: skip
        if layer.norm_after_attention is not None:
            seen = layer.norm_after_attention(seen)
        hidden = hidden + seen
        fed = layer.feed_forward(layer.norm_before_feed_forward(hidden))
        if layer.norm_after_feed_forward is not None:
            fed = layer.norm_after_feed_forward(fed)
        hidden = hidden + fed
    return hidden


def _attend(
    stack: Stack,
    layer: Layer,
    x: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    start: int,
) -> torch.Tensor:
    """Attention of (tokens, hidden) over the cache's (kv heads, capacity, head_dim)."""
    end = start + len(x)
    queries = rotated(_by_head(layer.q(x), stack.heads), cos, sin)
    keys[:, start:end] = rotated(_by_head(layer.k(x), stack.kv_heads), cos, sin)
    values[:, start:end] = _by_head(layer.v(x), stack.kv_heads)
    seen = causal_attention(queries, keys[:, :end], values[:, :end], stack.scale)
    result: torch.Tensor = layer.o(seen.transpose(0, 1).reshape(len(x), -1))
    return result


def causal_attention(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scale: float
) -> torch.Tensor:
    """Each query sees all keys up to its own; the last query's own is the last key.

    Args:
        queries: (heads, tokens, head_dim).
        keys, values: (kv heads, tokens before and now, head_dim).

    Returns:
        (heads, tokens, head_dim).
    """
    count, total = queries.shape[1], keys.shape[1]
    mask: Any = None
    if 1 < count < total and queries.is_cuda:
        mask = causal_lower_right(count, total)  # which needs no matrix
    elif 1 < count < total:
        row = torch.arange(total - count, total, device=queries.device)
        mask = row[:, None] >= torch.arange(total, device=queries.device)
    return scaled_dot_product_attention(
        queries[None],
        keys[None],
        values[None],
        attn_mask=mask,
        is_causal=count == total > 1,
        scale=scale,
        enable_gqa=True,
    )[0]


def _by_head(x: torch.Tensor, heads: int) -> torch.Tensor:
    """(tokens, heads * head_dim) to (heads, tokens, head_dim)."""
    return x.view(len(x), heads, -1).transpose(0, 1)
