"""The next token out of the logits in five small launches, without sorting them.

Sorting a vocabulary takes a GPU longer than all of this. Which tokens are among the fewest that
reach a share is found by their distance from the largest score: shares are summed up in whole
numbers, which gives the same sum in every order, first by coarse distance and then, within the
coarse one at which the share is reached, by fine distance (a radix selection).
"""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.early import let_next_start, wait

GROUPS = tl.constexpr(2048)
"""Of coarse distances, and of fine ones within one of those."""
_FINE = tl.constexpr(131072.0)
"""Fine distances in 1, the natural logarithm of e: 64 coarse ones."""
_FARTHEST = tl.constexpr(2048.0 * 2048.0 - 1.0)
_WHOLE = tl.constexpr(float(1 << 38))
"""What a share of 1 counts for; 32 below the largest a token counts for nothing."""


@triton.jit
def scores_kernel(
    logits_ptr: tl.tensor,
    said_ptr: tl.tensor,
    forbidden_ptr: tl.tensor,
    scores_ptr: tl.tensor,
    peaks_ptr: tl.tensor,
    masses_ptr: tl.tensor,
    temperature: tl.tensor,
    penalty: tl.tensor,
    count: tl.tensor,
    HAS_SAID: tl.constexpr,
    HAS_FORBIDDEN: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Logits to scores, float32: those of tokens that were said are penalized, all are divided by
    the temperature. And of each block of them the largest; what will be summed up begins at 0."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = place < count
    score = tl.load(logits_ptr + place, mask=inside, other=-float("inf")).to(tl.float32)
    if HAS_SAID:
        said = tl.load(said_ptr + place, mask=inside, other=0) != 0
        punished = tl.where(score < 0, score * penalty, tl.div_rn(score, penalty))
        score = tl.where(said, punished, score)
    if HAS_FORBIDDEN:
        forbidden = tl.load(forbidden_ptr + place, mask=inside, other=1) != 0
        score = tl.where(forbidden, -float("inf"), score)
    score = tl.div_rn(score, temperature)
    tl.store(scores_ptr + place, score, mask=inside)
    tl.store(peaks_ptr + tl.program_id(0), tl.max(score))
    tl.store(masses_ptr + place, tl.zeros((BLOCK,), tl.int64), mask=place < 2 * GROUPS)


@triton.jit
def _shares(
    scores_ptr: tl.tensor,
    peaks_ptr: tl.tensor,
    place: tl.tensor,
    count: tl.tensor,
    blocks: tl.tensor,
    BLOCKS: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    """Of tokens their shares of the largest one's, the same in whole numbers, and how far they are
    from it, in fine distances. What is impossible has none, and is the farthest."""
    block = tl.arange(0, BLOCKS)
    peak = tl.max(tl.load(peaks_ptr + block, mask=block < blocks, other=-float("inf")))
    score = tl.load(scores_ptr + place, mask=place < count, other=-float("inf"))
    below = tl.where(score == -float("inf"), 64.0, peak - score)
    share = tl.where(score == -float("inf"), 0.0, tl.exp(-below))
    distance = tl.minimum(below * _FINE, _FARTHEST).to(tl.int32)
    return share, (share * _WHOLE).to(tl.int64), distance


@triton.jit
def _first_reached(masses: tl.tensor, before: tl.tensor, limit: tl.tensor) -> tl.tensor:
    """The group at which the sum, ``before`` included, reaches the limit."""
    return tl.minimum(tl.sum((before + tl.cumsum(masses, 0) < limit).to(tl.int32)), GROUPS - 1)


@triton.jit
def coarse_kernel(
    scores_ptr: tl.tensor,
    peaks_ptr: tl.tensor,
    masses_ptr: tl.tensor,
    count: tl.tensor,
    blocks: tl.tensor,
    BLOCKS: tl.constexpr,
    BLOCK: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    """Sum up shares by coarse distance."""
    let_next_start(EARLY)
    wait(EARLY)
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    _, mass, distance = _shares(scores_ptr, peaks_ptr, place, count, blocks, BLOCKS)
    tl.atomic_add(masses_ptr + distance // GROUPS, mass, mask=mass > 0)


@triton.jit
def fine_kernel(
    scores_ptr: tl.tensor,
    peaks_ptr: tl.tensor,
    masses_ptr: tl.tensor,
    reached_ptr: tl.tensor,
    top_p: tl.tensor,
    count: tl.tensor,
    blocks: tl.tensor,
    BLOCKS: tl.constexpr,
    BLOCK: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    """Sum up shares by fine distance where the coarse one is that at which ``top_p`` is reached.

    Args:
        reached_ptr: int64 (3,): takes that coarse distance, the sum before it, and the limit.
    """
    let_next_start(EARLY)
    wait(EARLY)
    group = tl.arange(0, GROUPS)
    masses = tl.load(masses_ptr + group)
    limit = (tl.sum(masses).to(tl.float64) * top_p).to(tl.int64)
    reached = _first_reached(masses, tl.sum(masses) * 0, limit)
    if tl.program_id(0) == 0:
        before = tl.sum(tl.where(group < reached, masses, 0))
        tl.store(reached_ptr, reached.to(tl.int64))
        tl.store(reached_ptr + 1, before)
        tl.store(reached_ptr + 2, limit)
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    _, mass, distance = _shares(scores_ptr, peaks_ptr, place, count, blocks, BLOCKS)
    is_here = (distance // GROUPS == reached) & (mass > 0)
    tl.atomic_add(masses_ptr + GROUPS + distance % GROUPS, mass, mask=is_here)


@triton.jit(do_not_specialize=["low", "high"])
def draw_kernel(
    scores_ptr: tl.tensor,
    peaks_ptr: tl.tensor,
    masses_ptr: tl.tensor,
    reached_ptr: tl.tensor,
    drawn_ptr: tl.tensor,
    places_ptr: tl.tensor,
    low: tl.tensor,
    high: tl.tensor,
    count: tl.tensor,
    blocks: tl.tensor,
    BLOCKS: tl.constexpr,
    BLOCK: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    """Of each block the token whose share, divided by exponential noise, is the largest, among
    those that are no farther than the limit.

    Args:
        low, high: Of the seed, 31 bits each.
    """
    let_next_start(EARLY)
    wait(EARLY)
    group = tl.arange(0, GROUPS)
    masses = tl.load(masses_ptr + GROUPS + group)
    reached, before = tl.load(reached_ptr), tl.load(reached_ptr + 1)
    fine = _first_reached(masses, before, tl.load(reached_ptr + 2))
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    share, _, distance = _shares(scores_ptr, peaks_ptr, place, count, blocks, BLOCKS)
    seed = low.to(tl.int64) | (high.to(tl.int64) << 31)
    noise = -tl.log(tl.maximum(tl.rand(seed, place), 1e-10))
    is_in = (distance.to(tl.int64) <= reached * GROUPS + fine) & (share > 0)
    drawn = tl.where(is_in, share / noise, -1.0)
    tl.store(drawn_ptr + tl.program_id(0), tl.max(drawn))
    tl.store(places_ptr + tl.program_id(0), tl.program_id(0) * BLOCK + tl.argmax(drawn, axis=0))


@triton.jit
def token_kernel(
    drawn_ptr: tl.tensor,
    places_ptr: tl.tensor,
    said_ptr: tl.tensor,
    token_ptr: tl.tensor,
    blocks: tl.tensor,
    HAS_SAID: tl.constexpr,
    BLOCKS: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    """The largest of all blocks, which is said now."""
    let_next_start(EARLY)
    wait(EARLY)
    block = tl.arange(0, BLOCKS)
    drawn = tl.load(drawn_ptr + block, mask=block < blocks, other=-2.0)
    token = tl.load(places_ptr + tl.argmax(drawn, axis=0))
    tl.store(token_ptr, token.to(tl.int64))
    if HAS_SAID:
        tl.store(said_ptr + token, 1)
