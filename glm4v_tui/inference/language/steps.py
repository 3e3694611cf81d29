"""Steps of an answer: one token, or a few that are expected, in one pass over the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from glm4v_tui.inference.language.expectation import MOST
from glm4v_tui.inference.language.replay import KernelStep
from glm4v_tui.inference.language.step import PlainStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.inference.language.kernel_weights import KernelWeights
    from glm4v_tui.inference.language.kv_cache import KvCache
    from glm4v_tui.inference.language.stack import Stack

_WIDTH = MOST + 1
"""Tokens of a captured pass: a graph is made for one number."""


class Steps:
    """Of one row of a cache."""

    def __init__(self, stack: Stack, weights: KernelWeights | None) -> None:
        """Prepare the steps.

        Args:
            weights: As the kernels take them; None where they are not used.
        """
        self._stack = stack
        self.runs_ahead = stack.device.type != "cpu"
        """A step only has begun when it returns, and may be followed by another."""
        self.width = 0 if weights is None else _WIDTH
        """Tokens that a pass writes at least; those that are too many are overwritten."""
        self.plain = PlainStep(stack) if weights is None else None
        self._one = None if weights is None else KernelStep(weights)
        self._few = None if weights is None else KernelStep(weights, _WIDTH)

    def one(self, cache: KvCache, token: torch.Tensor, length: int, position: int) -> torch.Tensor:
        """The logits after one more token, (vocabulary,); overwritten by the next call.

        Args:
            token: (1,), int64.
            length: Tokens in the cache; this one is written behind them.
            position: Of the token, on every axis.
        """
        if self._one is not None:
            return self._one.run(cache, token, [length], [position])[0]
        assert self.plain is not None
        return self.plain.run(cache, token, length, position)

    def few(
        self, cache: KvCache, tokens: Sequence[int], length: int, position: int
    ) -> torch.Tensor:
        """The logits after each of some more tokens, (tokens, vocabulary); overwritten as above.

        Args:
            tokens: At most :data:`MOST` and one.
            length: Tokens in the cache, which has room for :attr:`width` more at least.
        """
        if self._few is None:
            assert self.plain is not None
            row = torch.tensor(tokens, device=self._stack.device)
            return self.plain.run_few(cache, row, length, position)
        row = torch.tensor([*tokens, *[tokens[-1]] * (_WIDTH - len(tokens))])
        places = range(_WIDTH)
        logits = self._few.run(
            cache, row, [length + place for place in places], [position + place for place in places]
        )
        return logits[: len(tokens)]

    def forget(self) -> None:
        """Let go of what is captured, and of what that holds."""
        for step in (self._one, self._few):
            if step is not None:
                step.forget()
