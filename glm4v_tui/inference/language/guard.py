"""Damaged weights do not pass for an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.errors import EngineError

if TYPE_CHECKING:
    import torch


def require_numbers(logits: torch.Tensor) -> None:
    """Damaged weights, or sums that a format cannot hold, would pass for an answer.

    Raises:
        EngineError: they are not numbers.
    """
    if bool(logits.isnan().any()):
        raise EngineError(
            "The model computes no numbers",
            "What it gives for the next token is not a number: its weights are damaged, or too "
            "large for this precision.",
            "Check its files (glm4v-tui model verify), or load it with --precision bf16 or fp32.",
        )
