"""One token for each row: from its id to the logits of the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import rms_norm, silu

from glm4v_tui.inference.language.products import PlainProduct
from glm4v_tui.inference.language.reading import causal_attention
from glm4v_tui.inference.language.stack import rotated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.inference.language.kv_cache import CacheRows, KvCache
    from glm4v_tui.inference.language.stack import Layer, Stack


@dataclass(frozen=True)
class _Layer:
    """A layer's matrices and the weights of its norms."""

    qkv: Any
    o: Any
    gate_up: Any
    down: Any
    before_attention: torch.Tensor
    after_attention: torch.Tensor | None
    before_feed_forward: torch.Tensor
    after_feed_forward: torch.Tensor | None


class PlainStep:
    """The step in plain torch, on any device."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._layers = [_layer(layer) for layer in stack.layers]
        self._eps: float = stack.norm.variance_epsilon
        self._cos, self._sin = stack.angles(_places(stack, 0, 1))

    def run(self, cache: KvCache, token: torch.Tensor, length: int, position: int) -> torch.Tensor:
        """The logits after one more token of a cache of one row, of shape (vocabulary,).

        Args:
            token: (1,), int64.
            length: Tokens in the cache; this one is written behind them.
            position: Of the token, on every axis.
        """
        return self.run_rows(cache, token, (length,), (position,))[0]

    def run_rows(
        self,
        cache: KvCache | CacheRows,
        token: torch.Tensor,
        lengths: Sequence[int],
        positions: Sequence[int],
    ) -> torch.Tensor:
        """The same for each row, (rows, vocabulary): matrices are read once for all of them."""
        stack = self._stack
        cos, sin = self._angles_at(positions)
        hidden = stack.embedding(token)
        for layer, keys, values in zip(self._layers, cache.keys, cache.values, strict=True):
            seen = self._attend(layer, hidden, cos, sin, keys, values, lengths)
            hidden = hidden + self._normed(layer.o(seen), layer.after_attention)
            gate, up = layer.gate_up(self._normed(hidden, layer.before_feed_forward)).chunk(2, -1)
            fed = layer.down(up.mul_(silu(gate)))
            hidden = hidden + self._normed(fed, layer.after_feed_forward)
        logits: torch.Tensor = stack.head(self._normed(hidden, stack.norm.weight))
        return logits

    def _attend(
        self,
        layer: _Layer,
        hidden: torch.Tensor,
        cos: torch.Tensor,
        sin: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        lengths: Sequence[int],
    ) -> torch.Tensor:
        """(rows, hidden) to (rows, heads * head_dim); keys and values get one more token a row."""
        stack, rows = self._stack, len(hidden)
        both = layer.qkv(self._normed(hidden, layer.before_attention))
        by_head = both.view(rows, -1, stack.head_dim).transpose(0, 1)
        queries, new_keys, new_values = by_head.split((stack.heads, stack.kv_heads, stack.kv_heads))
        queries, new_keys = rotated(queries, cos, sin), rotated(new_keys, cos, sin)
        seen = []
        for row, length in enumerate(lengths):
            own, end = slice(row, row + 1), length + 1
            keys[row, :, length:end] = new_keys[:, own]
            values[row, :, length:end] = new_values[:, own]
            seen.append(
                causal_attention(
                    queries[:, own], keys[row, :, :end], values[row, :, :end], stack.scale
                )
            )
        together = seen[0] if rows == 1 else torch.cat(seen, dim=1)
        return together.transpose(0, 1).reshape(rows, -1)

    def _normed(self, x: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        return x if weight is None else rms_norm(x, weight.shape, weight, self._eps)

    def _angles_at(self, positions: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        while max(positions) >= len(self._cos):
            more = self._stack.angles(_places(self._stack, len(self._cos), 2 * len(self._cos)))
            self._cos = torch.cat((self._cos, more[0]))
            self._sin = torch.cat((self._sin, more[1]))
        if len(positions) == 1:
            some = slice(positions[0], positions[0] + 1)
            return self._cos[some], self._sin[some]
        return self._cos[list(positions)], self._sin[list(positions)]


def _layer(layer: Layer) -> _Layer:
    return _Layer(
        *(PlainProduct(layer.q, layer.k, layer.v), layer.o, layer.gate_up, layer.down),
        layer.norm_before_attention.weight,
        _weight(layer.norm_after_attention),
        layer.norm_before_feed_forward.weight,
        _weight(layer.norm_after_feed_forward),
    )


def _weight(norm: Any | None) -> torch.Tensor | None:
    return None if norm is None else norm.weight


def _places(stack: Stack, start: int, end: int) -> torch.Tensor:
    """Positions of text, which are the same on every axis: (axes, tokens)."""
    return torch.arange(start, end, device=stack.device).expand(stack.axes, -1)
