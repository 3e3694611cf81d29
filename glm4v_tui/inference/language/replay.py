"""The step by kernels, captured once and replayed: a GPU then waits for no launch.

What changes from step to step is on the device: the token, each row's length and position. The
step counts the two up itself. A graph knows the addresses of its cache, so there is one for each
cache, made anew when the cache has moved.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from glm4v_tui.inference import kernels
from glm4v_tui.inference.quantized.layers import Int8Embedding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.inference.language.kernel_weights import KernelWeights
    from glm4v_tui.inference.language.kv_cache import CacheRows, KvCache


class KernelStep:
    """One token for each row of a cache."""

    def __init__(self, weights: KernelWeights, rows: int = 1) -> None:
        """Make the step for so many rows; several steps and a reader may share the weights.

        With a cache of one row they are tokens that follow each other in it: each sees those before
        it, as its length says.
        """
        stack = weights.stack
        self._weights, self._stack = weights, stack
        device = stack.device
        self._token = torch.zeros(rows, dtype=torch.int64, device=device)
        self._length = torch.zeros(rows, dtype=torch.int32, device=device)
        self._position = torch.zeros(rows, dtype=torch.int64, device=device)
        self._hidden = torch.zeros(rows, stack.hidden, dtype=stack.dtype, device=device)
        self._embeds_here = _is_on_device(stack.embedding, device)
        self._cos = self._sin = torch.empty(0)
        self._expected: tuple[list[int], list[int]] | None = None
        """Lengths and positions that the device has counted up to."""
        self._graph: torch.cuda.CUDAGraph | None = None
        self._captured: tuple[int, int] | None = None
        self._logits = torch.empty(0)

    def run(
        self,
        cache: KvCache | CacheRows,
        token: torch.Tensor,
        lengths: Sequence[int],
        positions: Sequence[int],
    ) -> torch.Tensor:
        """The logits after one more token of each row, (rows, vocabulary).

        They are overwritten by the next call.

        Args:
            token: (rows,), int64.
            lengths: Of each row in the cache; the tokens are written behind them.
            positions: Of the tokens, the same on every axis.
        """
        self._expect(list(lengths), list(positions))
        if self._embeds_here:
            self._token.copy_(token)
        else:
            self._hidden.copy_(self._stack.embedding(token))
        if self._captured == (id(cache), cache.generation):
            assert self._graph is not None
            self._graph.replay()
            return self._logits
        self._make_angles(cache.capacity)
        logits = self._compute(cache)
        if self._stack.device.type == "cuda":
            self._capture(cache)
        return logits

    def forget(self) -> None:
        """Let go of the graph, and of what it holds."""
        self._graph = self._captured = None
        self._logits = torch.empty(0)

    def _expect(self, lengths: list[int], positions: list[int]) -> None:
        """Tell the device where it is, unless it has counted there itself."""
        if self._expected != (lengths, positions):
            self._length.copy_(torch.tensor(lengths, dtype=torch.int32))
            self._position.copy_(torch.tensor(positions))
        self._expected = ([n + 1 for n in lengths], [n + 1 for n in positions])

    def _compute(self, cache: KvCache | CacheRows) -> torch.Tensor:
        stack = self._stack
        hidden = stack.embedding(self._token) if self._embeds_here else self._hidden
        cos, sin = self._cos[self._position], self._sin[self._position]
        eps = self._weights.eps
        x = kernels.rms_norm(hidden, self._weights.layers[0].before_attention, eps)
        for layer, own_keys, own_values in zip(
            self._weights.layers, cache.keys, cache.values, strict=True
        ):
            keys, values = self._for_each(own_keys), self._for_each(own_values)
            queries = kernels.rotary_and_cache(layer.qkv(x), cos, sin, keys, values, self._length)
            seen = kernels.decode_attention(queries, keys, values, self._length, stack.scale)
            hidden, x = kernels.add_rms_norm(
                hidden, layer.o(seen.flatten(1)), layer.after_attention,
                layer.before_feed_forward, eps,
            )  # fmt: skip
            hidden, x = kernels.add_rms_norm(
                hidden, layer.down(layer.gate_up.swiglu(x)), layer.after_feed_forward,
                layer.following, eps,
            )  # fmt: skip
        self._length.add_(1)
        self._position.add_(1)
        return self._weights.head(x)

    def _for_each(self, held: torch.Tensor) -> torch.Tensor:
        return held.expand(len(self._length), -1, -1, -1)

    def _capture(self, cache: KvCache | CacheRows) -> None:
        """Record the step. Nothing runs, so nothing is written or counted."""
        self.forget()
        torch.cuda.empty_cache()  # what is reserved and not in use cannot be had while it records
        graph = torch.cuda.CUDAGraph()
        # Other threads load kernels meanwhile, and ask for the GPU's memory.
        stream = _stream_of(self._stack.device)
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            self._logits = self._compute(cache)
        self._graph, self._captured = graph, (id(cache), cache.generation)

    def _make_angles(self, capacity: int) -> None:
        """A table of cosines and sines, (capacity, rotary dimensions): each angle twice."""
        if len(self._cos) < capacity:
            stack = self._stack
            places = torch.arange(capacity, device=stack.device).expand(stack.axes, -1)
            cos, sin = stack.angles(places)
            self._cos = cos.repeat_interleave(2, dim=-1)
            self._sin = sin.repeat_interleave(2, dim=-1)


def _is_on_device(embedding: Any, device: torch.device) -> bool:
    """False for one whose matrix stays in host memory, which needs to see the token."""
    known = isinstance(embedding, nn.Embedding | Int8Embedding)
    return known and bool(embedding.weight.device == device)


@functools.cache
def _stream_of(device: torch.device) -> torch.cuda.Stream:
    """What is recorded is recorded on it. torch's own is one for all, on the GPU that was the
    first; and where it is, there the kernels would go."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
