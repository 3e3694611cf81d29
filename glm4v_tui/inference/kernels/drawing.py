"""Launches of what chooses a token."""

from __future__ import annotations

import torch
import triton

from glm4v_tui.inference.kernels.availability import starts_early
from glm4v_tui.inference.kernels.choice_kernels import (
    GROUPS,
    coarse_kernel,
    draw_kernel,
    fine_kernel,
    scores_kernel,
    token_kernel,
)
from glm4v_tui.inference.kernels.early import early

_BLOCK = 1024
"""Tokens of a program."""


def draw(
    logits: torch.Tensor,
    said: torch.Tensor | None,
    forbidden: torch.Tensor | None = None,
    *,
    temperature: float,
    penalty: float,
    top_p: float,
    seed: int,
) -> torch.Tensor:
    """A token out of the fewest that together have a probability of ``top_p``.

    Those that are as probable as the last of them (to 8e-6 of it) are among them, too; where
    sorting decides, it is the order of the vocabulary that picks some.

    Args:
        logits: (vocabulary,), of any floating dtype; one at least is finite and not forbidden.
        said: bool (vocabulary,): those whose scores ``penalty`` lowers; the drawn one is added.
        forbidden: bool, (vocabulary,) or more: the tokens that may not come.
        top_p: Above 0 and below 1.
        seed: Below 2 ** 62.

    Returns:
        int64 (1,).
    """
    count, device = len(logits), logits.device
    blocks = triton.cdiv(max(count, 2 * GROUPS.value), _BLOCK)
    scores, peaks, drawn = (
        torch.empty(length, dtype=torch.float32, device=device)
        for length in (count, blocks, blocks)
    )
    places = torch.empty(blocks, dtype=torch.int32, device=device)
    masses = torch.empty(2 * GROUPS.value + 3, dtype=torch.int64, device=device)
    token = torch.empty(1, dtype=torch.int64, device=device)
    reached = masses[2 * GROUPS.value :]
    said_or_any, forbidden_or_any = (
        scores if flags is None else flags.view(torch.int8) for flags in (said, forbidden)
    )
    # Settings may be whole numbers, which Triton would take for constants, or for integers.
    scores_kernel[(blocks,)](
        *(logits, said_or_any, forbidden_or_any, scores, peaks, masses),
        *(float(temperature), float(penalty), count),
        HAS_SAID=said is not None,
        HAS_FORBIDDEN=forbidden is not None,
        BLOCK=_BLOCK,
    )
    is_early = starts_early(logits)
    every = {"BLOCKS": triton.next_power_of_2(blocks), "EARLY": is_early, **early(is_early)}
    sizes = (count, blocks)
    coarse_kernel[(blocks,)](scores, peaks, masses, *sizes, BLOCK=_BLOCK, **every)
    fine_kernel[(blocks,)](
        scores, peaks, masses, reached, float(top_p), *sizes, BLOCK=_BLOCK, **every
    )
    draw_kernel[(blocks,)](
        *(scores, peaks, masses, reached, drawn, places, seed & 0x7FFFFFFF, seed >> 31, *sizes),
        BLOCK=_BLOCK,
        **every,
    )
    token_kernel[(1,)](
        drawn, places, said_or_any, token, blocks, HAS_SAID=said is not None, **every
    )
    return token
