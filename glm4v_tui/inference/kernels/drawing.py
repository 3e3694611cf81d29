"""Launches of what chooses a token."""

from __future__ import annotations

import torch
import triton

from glm4v_tui.inference.kernels.choice_kernels import draw_kernel, scores_kernel

_SCORED, _DRAWN = 1024, 2048
"""Tokens of a program's block."""


def draw(
    logits: torch.Tensor,
    said: torch.Tensor | None,
    *,
    temperature: float,
    penalty: float,
    top_p: float,
    seed: int,
) -> torch.Tensor:
    """A token out of the fewest that together have a probability of ``top_p``.

    Args:
        logits: (vocabulary,), of any floating dtype.
        said: bool (vocabulary,): the tokens whose scores ``penalty`` lowers.
        seed: Below 2 ** 62.

    Returns:
        int64 (1,).
    """
    count = len(logits)
    blocks = triton.cdiv(count, _SCORED)
    scores, peaks, sums = (
        torch.empty(length, dtype=torch.float32, device=logits.device)
        for length in (count, blocks, blocks)
    )
    said_or_any = scores if said is None else said.view(torch.int8)
    # Settings may be whole numbers, which Triton would take for constants, or for integers.
    scores_kernel[(blocks,)](
        *(logits, said_or_any, scores, peaks, sums, float(temperature), float(penalty), count),
        HAS_SAID=said is not None,
        BLOCK=_SCORED,
    )
    ordered, ids = scores.sort(descending=True)
    token = torch.empty(1, dtype=torch.int64, device=logits.device)
    draw_kernel[(1,)](
        *(ordered, ids, peaks, sums, token, float(top_p)),
        *(seed & 0x7FFFFFFF, seed >> 31, count, blocks),
        BLOCKS=triton.next_power_of_2(blocks),
        BLOCK=_DRAWN,
        num_warps=8,
    )
    return token
