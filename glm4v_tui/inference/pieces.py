"""Long prompts and large images in pieces, where the pieces do not depend on each other.

A layer's feed-forward part widens every token three to nine times; for thousands of tokens at once
that is the peak of a model's memory. Tokens do not meet there, so some at a time give the same.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torch import nn

TOKENS_AT_ONCE = 2048
"""Where weights are packed they are made whole for each piece, so pieces must not be many."""
FEWER_AT_ONCE = 1024
"""Where every megabyte counts: with the embedding in host memory."""
_NAMES = ("mlp", "feed_forward")
"""What transformers' models call that part of a layer."""


def feed_in_pieces(layers: Iterable[nn.Module], at_once: int = TOKENS_AT_ONCE) -> None:
    """Let the feed-forward parts of these layers take so many tokens at a time.

    Half as many more where they say that they ``work_in_place``.
    """
    for layer in layers:
        for name in _NAMES:
            part: Any = getattr(layer, name, None)
            if part is not None:
                most = at_once * 3 // 2 if getattr(part, "works_in_place", False) else at_once
                part.forward = partial(_in_pieces, part.forward, most)


def equal_pieces(tokens: int, at_once: int) -> Iterator[slice]:
    """As few as can be with no more than ``at_once`` in each, of about the same size."""
    size = -(-tokens // -(-tokens // at_once))
    return (slice(start, start + size) for start in range(0, tokens, size))


def _in_pieces(
    forward: Callable[..., Any], at_once: int, hidden: torch.Tensor, *args: Any, **kwargs: Any
) -> Any:
    """``hidden`` is (..., tokens, width)."""
    tokens = hidden.shape[-2] if hidden.ndim > 1 else 1
    if tokens <= at_once or args or kwargs:
        return forward(hidden, *args, **kwargs)
    result: torch.Tensor | None = None
    for some in equal_pieces(tokens, at_once):
        piece = forward(hidden[..., some, :])
        if not isinstance(piece, torch.Tensor):  # an expert router's, with its choices
            return forward(hidden)
        if result is None:
            result = piece.new_empty((*hidden.shape[:-1], piece.shape[-1]))
        result[..., some, :] = piece
        del piece  # before the next one is made
    return result
