"""Prompts read into the cache, many tokens at once."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from glm4v_tui.inference.language.stack import rotated

if TYPE_CHECKING:
    from collections.abc import Callable

    OnRead = Callable[[int, int], None]
    """Told tokens that are read, and how many there are."""

    from glm4v_tui.inference.language.kv_cache import CacheRows, KvCache
    from glm4v_tui.inference.language.stack import Layer, Stack

TOKENS_AT_ONCE = 4096
"""Longer prompts go through the layers in parts, which bounds what is at work."""


def parts_of(tokens: int) -> int:
    """How often a prompt goes through the layers."""
    return -(-tokens // TOKENS_AT_ONCE)


def counted(
    should_stop: Callable[[], bool], passes: int, tokens: int, on_read: OnRead
) -> Callable[[], bool]:
    """Tell how far the reading is each time that it asks whether it is to stop.

    Args:
        passes: How often it will ask: once for each layer and part.
    """
    asked = itertools.count()

    def asks() -> bool:
        on_read(min(next(asked), passes) * tokens // passes, tokens)
        return should_stop()

    return asks


class Stopped(Exception):  # noqa: N818 - not an error
    """Reading was to be stopped."""


def read(
    stack: Stack,
    cache: KvCache | CacheRows,
    start: int,
    embedded: torch.Tensor,
    positions: torch.Tensor,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    wanted: int = 1,
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Read tokens after the first ``start`` of the cache, which must have room for them.

    Args:
        embedded: (tokens, hidden): the tokens' vectors, those of images among them.
        positions: (axes, tokens).
        should_stop: Asked before each layer.
        wanted: Last tokens to return; at most :data:`TOKENS_AT_ONCE`, as all tokens with a mask.
        mask: What each token sees, bool, (tokens, start + tokens), instead of all before it.

    Returns:
        What the head is given for the last tokens: (wanted, hidden).

    Raises:
        Stopped: it was to stop. The cache holds ``start`` tokens, as before.
    """
    hidden = embedded
    for first in range(0, len(embedded), TOKENS_AT_ONCE):
        some = slice(first, first + TOKENS_AT_ONCE)
        hidden = _read_part(
            *(stack, cache, start + first, embedded[some], positions[:, some], should_stop, mask)
        )
        keep_pace(hidden, first + TOKENS_AT_ONCE < len(embedded))
    last: torch.Tensor = stack.norm(hidden[-wanted:])
    return last


def keep_pace(hidden: torch.Tensor, has_more: bool) -> None:
    """Wait for a GPU between two parts, so that what is told of them is so."""
    if has_more and hidden.is_cuda:
        torch.cuda.synchronize(hidden.device)


def _read_part(
    stack: Stack,
    cache: KvCache | CacheRows,
    start: int,
    hidden: torch.Tensor,
    positions: torch.Tensor,
    should_stop: Callable[[], bool],
    mask: torch.Tensor | None,
) -> torch.Tensor:
    cos, sin = stack.angles(positions)
    for number, layer in enumerate(stack.layers):
        if should_stop():
            raise Stopped
        keys, values = cache.keys[number][0], cache.values[number][0]
        seen = _attend(stack, layer, layer.norm_before_attention(hidden), cos, sin,
                       keys, values, start, mask)  # fmt: skip
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
    mask: torch.Tensor | None,
) -> torch.Tensor:
    """Attention of (tokens, hidden) over the cache's (kv heads, capacity, head_dim)."""
    end = start + len(x)
    queries = rotated(_by_head(layer.q(x), stack.heads), cos, sin)
    keys[:, start:end] = rotated(_by_head(layer.k(x), stack.kv_heads), cos, sin)
    values[:, start:end] = _by_head(layer.v(x), stack.kv_heads)
    seen = causal_attention(queries, keys[:, :end], values[:, :end], stack.scale, mask)
    result: torch.Tensor = layer.o(seen.transpose(0, 1).reshape(len(x), -1))
    return result


def causal_attention(
    queries: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    scale: float,
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Each query sees all keys up to its own; the last query's own is the last key.

    Args:
        queries: (heads, tokens, head_dim).
        keys, values: (kv heads, tokens before and now, head_dim).
        mask: Which keys each query sees instead, bool, (tokens, tokens before and now).

    Returns:
        (heads, tokens, head_dim).
    """
    count, total = queries.shape[1], keys.shape[1]
    if mask is None and 1 < count < total:
        mask = _lower_right(count, total, queries)
    return scaled_dot_product_attention(
        queries[None],
        keys[None],
        values[None],
        attn_mask=mask,
        is_causal=mask is None and count == total > 1,
        scale=scale,
        enable_gqa=True,
    )[0]


def _lower_right(count: int, total: int, like: torch.Tensor) -> Any:
    """The mask of the last tokens; on a GPU one that needs no matrix."""
    if like.is_cuda:
        return causal_lower_right(count, total)
    row = torch.arange(total - count, total)
    return row[:, None] >= torch.arange(total)


def _by_head(x: torch.Tensor, heads: int) -> torch.Tensor:
    """(tokens, heads * head_dim) to (heads, tokens, head_dim)."""
    return x.view(len(x), heads, -1).transpose(0, 1)
