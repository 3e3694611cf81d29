"""Steps: one token, or a few in one pass over the weights, that are expected or are to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from glm4v_tui.inference.language.expectation import MOST
from glm4v_tui.inference.language.replay import KernelStep
from glm4v_tui.inference.language.step import PlainStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.inference.kernels.ahead import Compiling
    from glm4v_tui.inference.language.kernel_weights import KernelWeights
    from glm4v_tui.inference.language.kv_cache import KvCache
    from glm4v_tui.inference.language.stack import Stack

_WIDTHS = (MOST + 1, 16)
"""Tokens of the captured passes: a graph is made for one number. A pass of eight costs as much as
one to two steps, one of sixteen up to two and a half."""


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
        self.widths: tuple[int, ...] = () if weights is None else _WIDTHS
        """Tokens that passes write; those that are too many are overwritten. None where a pass
        writes as many as it is given."""
        self._compiling: Compiling | None = None
        self.plain = PlainStep(stack) if weights is None else None
        self._one = None if weights is None else KernelStep(weights)
        self._few = {}
        if weights is not None:
            self._few = {width: KernelStep(weights, width) for width in _WIDTHS}

    def use_passes_after(self, compiling: Compiling) -> None:
        """Do without passes until their kernels are compiled."""
        self._compiling = compiling

    @property
    def has_passes(self) -> bool:
        """Whether several tokens can be computed in a pass now."""
        if self._compiling is not None and self._compiling.is_done:
            self._compiling = None
        return self._compiling is None

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
            tokens: Where there are kernels at most the largest of :attr:`widths`.
            length: Tokens in the cache, which has room for as many more as the pass writes.
        """
        if self.plain is not None:
            row = torch.tensor(tokens, device=self._stack.device)
            return self.plain.run_few(cache, row, length, position)
        width = next(width for width in self.widths if len(tokens) <= width)
        row = torch.tensor([*tokens, *[tokens[-1]] * (width - len(tokens))])
        places = range(width)
        logits = self._few[width].run(
            cache, row, [length + place for place in places], [position + place for place in places]
        )
        return logits[: len(tokens)]

    def forget(self) -> None:
        """Let go of what is captured, and of what that holds."""
        for step in (self._one, *self._few.values()):
            if step is not None:
                step.forget()
