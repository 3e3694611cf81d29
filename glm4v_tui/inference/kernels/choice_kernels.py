"""The next token out of the logits in two launches and a sort, in place of some twenty launches.

Each of those takes a few microseconds of a GPU that a step takes a few thousand of.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def scores_kernel(
    logits_ptr: tl.tensor,
    said_ptr: tl.tensor,
    scores_ptr: tl.tensor,
    peaks_ptr: tl.tensor,
    sums_ptr: tl.tensor,
    temperature: tl.tensor,
    penalty: tl.tensor,
    count: tl.tensor,
    HAS_SAID: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Logits to scores, float32: those of tokens that were said are penalized, all are divided by
    the temperature. And of each block of them the largest, and the sum of what they are the
    logarithms of, as shares of the largest."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = place < count
    score = tl.load(logits_ptr + place, mask=inside, other=-float("inf")).to(tl.float32)
    if HAS_SAID:
        said = tl.load(said_ptr + place, mask=inside, other=0) != 0
        punished = tl.where(score < 0, score * penalty, tl.div_rn(score, penalty))
        score = tl.where(said, punished, score)
    score = tl.div_rn(score, temperature)
    tl.store(scores_ptr + place, score, mask=inside)
    peak = tl.max(score)
    share = tl.where(score == -float("inf"), 0.0, tl.exp(score - peak))
    tl.store(peaks_ptr + tl.program_id(0), peak)
    tl.store(sums_ptr + tl.program_id(0), tl.sum(share))


@triton.jit(do_not_specialize=["low", "high"])
def draw_kernel(
    scores_ptr: tl.tensor,
    ids_ptr: tl.tensor,
    peaks_ptr: tl.tensor,
    sums_ptr: tl.tensor,
    token_ptr: tl.tensor,
    top_p: tl.tensor,
    low: tl.tensor,
    high: tl.tensor,
    count: tl.tensor,
    blocks: tl.tensor,
    BLOCKS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """A token out of the fewest that together reach a share of ``top_p``, by one program.

    Drawn by dividing shares by exponential noise and taking the largest.

    Args:
        scores_ptr: Sorted, the largest first; ``ids_ptr`` says whose they are.
        low, high: Of the seed, 31 bits each.
    """
    block = tl.arange(0, BLOCKS)
    peaks = tl.load(peaks_ptr + block, mask=block < blocks, other=-float("inf"))
    sums = tl.load(sums_ptr + block, mask=block < blocks, other=0.0)
    peak = tl.max(peaks)
    limit = top_p * tl.sum(tl.where(sums > 0, sums * tl.exp(peaks - peak), 0.0))
    seed = low.to(tl.int64) | (high.to(tl.int64) << 31)
    reached, largest, chosen = 0.0, -1.0, 0
    start = 0
    while (start < count) & (reached < limit):
        place = start + tl.arange(0, BLOCK)
        score = tl.load(scores_ptr + place, mask=place < count, other=-float("inf"))
        share = tl.where(score == -float("inf"), 0.0, tl.exp(score - peak))
        before = reached + tl.cumsum(share) - share
        noise = -tl.log(tl.maximum(tl.rand(seed, place), 1e-10))
        drawn = tl.where(before < limit, share / noise, -1.0)
        here = tl.max(drawn)
        if here > largest:
            largest = here
            chosen = start + tl.argmax(drawn, axis=0)
        reached += tl.sum(share)
        start += BLOCK
    tl.store(token_ptr, tl.load(ids_ptr + chosen))
