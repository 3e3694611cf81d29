"""Prompts read into the cache by the kernels: a tenth of the launches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from glm4v_tui.inference import kernels
from glm4v_tui.inference.arranging import HostEmbedding
from glm4v_tui.inference.language.reading import (
    TOKENS_AT_ONCE,
    Stopped,
    causal_attention,
    keep_pace,
)
from glm4v_tui.inference.pieces import FEWER_AT_ONCE, equal_pieces
from glm4v_tui.inference.pieces import TOKENS_AT_ONCE as FED_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.inference.language.kernel_weights import KernelLayer, KernelWeights
    from glm4v_tui.inference.language.kv_cache import CacheRows, KvCache

_FEW = 64
"""Up to so many tokens the kernel of a step is the faster attention: it takes them for rows that
share one cache, each with a length of its own."""


class KernelReader:
    """Reads tokens after those that a cache of one row holds; see :func:`reading.read`."""

    def __init__(self, weights: KernelWeights) -> None:
        self._weights = weights
        in_host = isinstance(weights.stack.embedding, HostEmbedding)
        self._fed_at_once = FEWER_AT_ONCE if in_host else FED_AT_ONCE

    def read(
        self,
        cache: KvCache | CacheRows,
        start: int,
        embedded: torch.Tensor,
        positions: torch.Tensor,
        should_stop: Callable[[], bool] = lambda: False,
        *,
        wanted: int = 1,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """As :func:`reading.read`, whose arguments it has.

        Raises:
            Stopped: it was to stop. The cache holds ``start`` tokens, as before.
        """
        hidden = embedded
        for first in range(0, len(embedded), TOKENS_AT_ONCE):
            some = slice(first, first + TOKENS_AT_ONCE)
            hidden = self._read_part(
                *(cache, start + first, embedded[some], positions[:, some], should_stop, mask)
            )
            keep_pace(hidden, first + TOKENS_AT_ONCE < len(embedded))
        return hidden[-wanted:]

    def _read_part(
        self,
        cache: KvCache | CacheRows,
        start: int,
        hidden: torch.Tensor,
        positions: torch.Tensor,
        should_stop: Callable[[], bool],
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        weights, count = self._weights, len(hidden)
        cos, sin = (
            angles.repeat_interleave(2, dim=-1) for angles in weights.stack.angles(positions)
        )
        lengths = torch.arange(start, start + count, dtype=torch.int32, device=hidden.device)
        x = kernels.rms_norm(hidden, weights.layers[0].before_attention, weights.eps)
        for layer, keys, values in zip(weights.layers, cache.keys, cache.values, strict=True):
            if should_stop():
                raise Stopped
            all_keys = keys.expand(count, -1, -1, -1)
            all_values = values.expand(count, -1, -1, -1)
            queries = kernels.rotary_and_cache(
                layer.qkv(x), cos, sin, all_keys, all_values, lengths
            )
            if count <= _FEW and mask is None:
                seen = kernels.decode_attention(
                    queries, all_keys, all_values, lengths, weights.stack.scale
                )
            else:
                end = start + count
                seen = causal_attention(
                    *(queries.transpose(0, 1), keys[0, :, :end], values[0, :, :end]),
                    *(weights.stack.scale, mask),
                ).transpose(0, 1)
            hidden, x = kernels.add_rms_norm(
                hidden, layer.o(seen.reshape(count, -1)), layer.after_attention,
                layer.before_feed_forward, weights.eps,
            )  # fmt: skip
            hidden, x = kernels.add_rms_norm(
                hidden,
                _fed(layer, x, self._fed_at_once),
                layer.after_feed_forward,
                layer.following,
                weights.eps,
            )
        return x


def _fed(layer: KernelLayer, x: torch.Tensor, at_once: int) -> torch.Tensor:
    """The feed-forward part of (tokens, hidden), so many at a time that memory suffices."""
    if len(x) <= at_once:
        return layer.down(layer.gate_up.swiglu(x))
    result = torch.empty_like(x)
    for some in equal_pieces(len(x), at_once):
        result[some] = layer.down(layer.gate_up.swiglu(x[some]))
    return result
