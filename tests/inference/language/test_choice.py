"""Choosing tokens as transformers' processors do."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from glm4v_tui.inference.language.choice import Chooser, Settings, settings_of

CPU = torch.device("cpu")
LOGITS = torch.randn(40, generator=torch.Generator().manual_seed(3)) * 3


def shares(settings: Settings, before: list[int]) -> torch.Tensor:
    """What transformers would draw from."""
    steps = LogitsProcessorList()
    if settings.repetition_penalty != 1:
        steps.append(RepetitionPenaltyLogitsProcessor(settings.repetition_penalty))
    steps.append(TemperatureLogitsWarper(settings.temperature))
    if settings.top_k:
        steps.append(TopKLogitsWarper(settings.top_k))
    if settings.top_p < 1:
        steps.append(TopPLogitsWarper(settings.top_p))
    return steps(torch.tensor([before]), LOGITS[None].clone())[0].softmax(-1)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(temperature=1.0),
        Settings(temperature=0.7, top_k=5),
        Settings(temperature=1.3, top_p=0.8),
        Settings(temperature=1.1, top_k=12, top_p=0.6, repetition_penalty=1.8),
    ],
)
def test_tokens_are_drawn_from_the_same_distribution(settings: Settings) -> None:
    expected = shares(settings, [1, 2, 30])
    chooser = Chooser(settings, 40, [1, 2, 30], CPU)
    said = None if chooser._said is None else chooser._said.clone()
    counts: Counter[int] = Counter()
    for _ in range(6000):
        if said is not None:
            chooser._said = said.clone()
        counts[int(chooser.choose(LOGITS))] += 1
    found = torch.tensor([counts[token] / 6000 for token in range(40)])
    assert set(counts) <= set(expected.nonzero().flatten().tolist())
    assert float((found - expected).abs().max()) < 0.02


def test_greedy_takes_the_best_and_penalizes_what_was_said() -> None:
    best, second = LOGITS.topk(2).indices.tolist()
    chooser = Chooser(Settings(repetition_penalty=100.0), 40, [], CPU)
    assert int(chooser.choose(LOGITS)) == best
    assert int(chooser.choose(LOGITS)) == second


def test_what_a_mask_forbids_never_comes() -> None:
    best = int(LOGITS.argmax())

    def mask(_: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores[:, best] = -torch.inf
        return scores

    assert int(Chooser(Settings(), 40, [], CPU).choose(LOGITS, mask)) != best
    assert int(LOGITS.argmax()) == best  # the model's own numbers stay


def test_settings_that_are_not_known_are_left_to_transformers() -> None:
    assert settings_of(GenerationConfig(do_sample=True, no_repeat_ngram_size=2), None) is None
    assert settings_of(GenerationConfig(min_new_tokens=5), None) is None
    plain = settings_of(GenerationConfig(do_sample=False, top_p=0.5), 7)
    assert plain == Settings(seed=7)
    sampled = settings_of(GenerationConfig(do_sample=True, temperature=0.6, top_p=0.8), None)
    assert sampled is not None
    assert (sampled.temperature, sampled.top_p) == (0.6, 0.8)
