"""Tokens drawn by kernels are those that transformers' processors leave, as often."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

pytest.importorskip("triton")

from glm4v_tui.inference.kernels import drawing
from glm4v_tui.inference.kernels.drawing import draw

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LOGITS = torch.randn(40, generator=torch.Generator().manual_seed(3)) * 3
SAID = [1, 2, 30]
DRAWN = 6000 if DEVICE == "cuda" else 250
"""Triton's interpreter takes long."""


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_BLOCK", 16 if DEVICE == "cuda" else 1024)


def drawn(logits: torch.Tensor, seed: int, *, said: bool = False, **settings: float) -> int:
    flags = torch.zeros(len(logits), dtype=torch.bool, device=DEVICE)
    flags[SAID] = True
    options = {"temperature": 1.0, "penalty": 1.0, "top_p": 0.5, **settings}
    return int(draw(logits.to(DEVICE), flags if said else None, seed=seed, **options))


@pytest.mark.parametrize(("temperature", "penalty", "top_p"), [(1.3, 1.0, 0.8), (0.7, 1.8, 0.95)])
def test_the_distribution_is_that_of_transformers(
    temperature: float, penalty: float, top_p: float
) -> None:
    steps = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(penalty)])
    steps += [TemperatureLogitsWarper(temperature), TopPLogitsWarper(top_p)]
    expected = steps(torch.tensor([SAID]), LOGITS[None].clone())[0].softmax(-1)
    settings = {"temperature": temperature, "penalty": penalty, "top_p": top_p}
    counts = Counter(
        drawn(LOGITS, 77 + 0x9E3779B97F4A7C15 * number % (1 << 62), said=True, **settings)
        for number in range(DRAWN)
    )
    found = torch.tensor([counts[token] / DRAWN for token in range(40)])
    assert set(counts) <= set(expected.nonzero().flatten().tolist())
    assert float((found - expected).abs().max()) < 1.5 / DRAWN**0.5


def test_a_seed_draws_the_same_again_and_others_do_not() -> None:
    seeds = [1 << 61, 5, (1 << 31) + 5]
    flat = torch.zeros(200)
    found = [drawn(flat, seed, top_p=0.9) for seed in seeds]
    assert found == [drawn(flat, seed, top_p=0.9) for seed in seeds]
    assert len(set(found)) == len(seeds)


def test_what_is_impossible_never_comes() -> None:
    logits = torch.full((40,), -torch.inf)
    logits[[7, 21]] = torch.tensor([0.1, 0.0])
    assert {drawn(logits, seed, top_p=0.99) for seed in range(20)} == {7, 21}
    logits[21] = -torch.inf
    assert {drawn(logits, seed, top_p=0.99, said=True) for seed in range(5)} == {7}


def test_more_probable_than_all_others_together() -> None:
    logits = torch.zeros(40, dtype=torch.bfloat16)
    logits[33] = 9.0
    assert {drawn(logits, seed, top_p=0.9) for seed in range(20)} == {33}


def test_what_was_said_grows_and_what_is_forbidden_never_comes() -> None:
    flags = torch.zeros(40, dtype=torch.bool, device=DEVICE)
    forbidden = torch.ones(40, dtype=torch.bool, device=DEVICE)
    forbidden[[3, 9]] = False
    options = {"temperature": 1.0, "penalty": 1.5, "top_p": 0.99}
    flat = torch.zeros(40, device=DEVICE)
    found = {int(draw(flat, flags, forbidden, seed=seed, **options)) for seed in range(12)}
    assert found == {3, 9}
    assert flags.nonzero().flatten().tolist() == [3, 9]


@pytest.mark.parametrize("top_p", [0.05, 0.6, 0.999])
def test_of_a_large_vocabulary_no_more_are_in_than_reach_the_share(top_p: float) -> None:
    logits = torch.randn(5000, generator=torch.Generator().manual_seed(4)).double() * 2
    shares, order = logits.softmax(-1).sort(descending=True)
    inside = set(order[: int((shares.cumsum(-1) - shares < top_p).sum())].tolist())
    draws = 40 if DEVICE == "cpu" else 3000
    found = {drawn(logits.float(), 11 + seed, top_p=top_p) for seed in range(draws)}
    assert found <= inside
    assert len(found) > min(len(inside), draws) // 4
