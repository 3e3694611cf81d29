"""Answers bound to a form, by models with random weights: nothing but the mask keeps them to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from glm4v_tui.engine.protocol import FinishReason, ResultForm, Sampling
from glm4v_tui.errors import EngineError
from glm4v_tui.inference import result_form
from glm4v_tui.inference.result_form import FormBinder
from glm4v_tui.tasks.results import ResultState
from tests.checkpoints import make_glm4v, set_generation
from tests.inference.conftest import GREEDY, Answers, user
from tests.inference.forms import Hard, Short, form, read

QUESTION = user("What is it?", "wide")
ROOM = 1200
WAYS = {
    "greedy": Sampling(ROOM, temperature=0),
    "hot": Sampling(ROOM, temperature=1.5, top_k=400, top_p=1.0, seed=1),
    "hotter": Sampling(ROOM, temperature=3.0, top_k=400, top_p=1.0, seed=2),
    "few": Sampling(ROOM, temperature=1.5, top_k=3, seed=3),
    "likely": Sampling(ROOM, temperature=1.5, top_p=0.5, seed=4),
    "penalty": Sampling(ROOM, temperature=0, repetition_penalty=1.8),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_family_keeps_to_a_hard_form(family: Answers, way: str) -> None:
    finished, told = family.ask(QUESTION, sampling=WAYS[way], form=form(Hard))
    result = read(Hard, told)
    assert finished.reason is FinishReason.STOP
    assert result.state is ResultState.WHOLE, result
    assert finished.usage.completion_tokens < ROOM


def test_free_text_is_as_it_was_after_a_bound_answer(glm4v: Answers) -> None:
    _, before = glm4v.ask(QUESTION)
    glm4v.ask(QUESTION, form=form(Short))
    assert glm4v.ask(QUESTION)[1] == before


def test_the_same_seed_gives_the_same_result(glm4v: Answers) -> None:
    first, again = (glm4v.ask(QUESTION, sampling=WAYS["hot"], form=form(Hard)) for _ in "ab")
    assert first[1] == again[1]


@pytest.mark.parametrize(
    "schema",
    [
        '{"type": "array", "items": {"type": "integer"}, "uniqueItems": true}',
        '{"not": {"type": "string"}}',
        '{"type": "string", "format": "weird"}',
        '{"type": "integer", "minimum": 5, "maximum": 3}',
        '{"type": "strung"}',
        '{"$ref": "#/$defs/nowhere"}',
        "no JSON",
        "",
        "[]",
    ],
)
def test_a_form_that_cannot_be_bound_is_told_and_the_next_is_answered(
    glm4v: Answers, schema: str
) -> None:
    with pytest.raises(EngineError, match="cannot be bound"):
        glm4v.ask(QUESTION, form=ResultForm(schema))
    _, told = glm4v.ask(QUESTION, form=form(Short))
    assert read(Short, told).state is ResultState.WHOLE


def test_an_answer_that_is_stopped_is_incomplete(glm4v: Answers) -> None:
    written = 0

    def count(event: Any) -> None:
        nonlocal written
        written += getattr(event, "tokens", 0)

    finished, told = glm4v.ask(
        QUESTION,
        sampling=WAYS["hot"],
        form=form(Hard),
        should_stop=lambda: written >= 10,
        on_event=count,
    )
    assert finished.reason is FinishReason.ABORT
    assert read(Hard, told, is_finished=False).state is ResultState.CUT
    assert read(Short, glm4v.ask(QUESTION, form=form(Short))[1]).state is ResultState.WHOLE


def test_an_answer_without_room_is_incomplete_and_never_more_than_begun(glm4v: Answers) -> None:
    whole = glm4v.ask(QUESTION, sampling=WAYS["greedy"], form=form(Hard))[1]
    finished, told = glm4v.ask(QUESTION, sampling=Sampling(20, temperature=0), form=form(Hard))
    assert finished.reason is FinishReason.LENGTH
    assert whole.startswith(told.removesuffix("\ufffd"))
    assert read(Hard, told, is_finished=False).state is ResultState.CUT


def test_settings_of_a_checkpoint_that_forbid_tokens_do_not_forbid_the_forms(
    tmp_path: Path,
) -> None:
    folder = make_glm4v(tmp_path / "strict")
    quotes = list(range(20, 60))
    set_generation(
        folder, no_repeat_ngram_size=1, min_new_tokens=400, suppress_tokens=quotes,
        bad_words_ids=[[one] for one in quotes], forced_eos_token_id=0, repetition_penalty=5.0,
    )  # fmt: skip
    answers = Answers(folder)
    finished, told = answers.ask(QUESTION, sampling=WAYS["greedy"], form=form(Hard))
    assert finished.reason is FinishReason.STOP
    assert read(Hard, told).state is ResultState.WHOLE
    free = answers.ask(QUESTION)[0]  # and free text still has them
    tokens = answers.backend._decoder.run.tokens  # type: ignore[union-attr]
    assert free.usage.completion_tokens == GREEDY.max_new_tokens
    assert len(set(tokens[:-1])) == len(tokens) - 1
    assert not set(tokens[:-1]) & set(quotes)


# The mask itself --------------------------------------------------------------------------------


def allowed(mask: Any, width: int) -> set[int]:
    scores = mask(None, torch.zeros(1, width))
    return set(torch.nonzero(scores[0] == 0).flatten().tolist())


@pytest.fixture(params=["at once", "in a thread"])
def binder(request: Any, glm4v: Answers, monkeypatch: pytest.MonkeyPatch) -> FormBinder:
    """A binder for the tiny model, its output 100 wider than its tokenizer."""
    if request.param == "in a thread":
        monkeypatch.setattr(result_form, "LARGE", 1)
    decoder = glm4v.backend._decoder
    assert decoder is not None
    return FormBinder(decoder._tokenizer, len(decoder._tokenizer) + 100, decoder._stop_ids)


def test_an_end_is_allowed_when_the_result_is_whole_and_then_alone(binder: FormBinder) -> None:
    tokenizer, stop_ids = binder._tokenizer, binder._stop_ids
    assert len(stop_ids) == 4
    width = len(tokenizer) + 100
    mask = binder.bind(form(Hard), opens_thinking=False)
    written = json.dumps(
        {
            "kind": 'quo"te', "shapes": [{"type": "square", "name": "東 😀", "is_full": True}],
            "maybe": None, "grade": 10, "share": 0.5, "number": -1.5, "count": 3, "value": "x",
            "never": [], "text": "</answer> <think>",
        },
        ensure_ascii=False,
    )  # fmt: skip
    for token in tokenizer.encode(written.replace("</answer> <think>", "plain"))[:-1]:
        here = allowed(mask, width)
        assert token in here
        assert not here & stop_ids
        assert max(here) < len(tokenizer)
        mask.take(token)
    mask.take(tokenizer.convert_tokens_to_ids("}"))
    assert allowed(mask, width) == stop_ids
    mask.take(min(stop_ids))
    assert allowed(mask, width) == stop_ids


def test_tokens_that_open_images_or_turns_are_never_part_of_a_result(binder: FormBinder) -> None:
    tokenizer = binder._tokenizer
    mask = binder.bind(form(Hard), opens_thinking=False)
    for token in tokenizer.encode('{"kind": "a b", "shapes": [{"type": "square", "name": "x'):
        mask.take(token)
    assert not allowed(mask, len(tokenizer)) & set(tokenizer.all_special_ids)


def test_a_tokenizer_that_cannot_be_used_is_told() -> None:
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.add_tokens([AddedToken("-" * 300, special=False), AddedToken("<end>", special=True)])
    endless = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<end>")
    binder = FormBinder(endless, 10, frozenset({1}))
    with pytest.raises(EngineError, match="cannot be bound"):
        binder.bind(form(Short), opens_thinking=False)


def test_a_slow_tokenizer_is_told() -> None:
    binder = FormBinder(object(), 10, frozenset({1}))
    with pytest.raises(EngineError, match="cannot be bound"):
        binder.bind(form(Short), opens_thinking=False)
