from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from glm4v_tui.engine.protocol import FinishReason, Progress, Sampling, TextDelta
from glm4v_tui.errors import EngineError, UsageError
from tests.checkpoints import set_generation
from tests.inference.conftest import Answers, user

QUESTION = user("What is in this picture?", "wide")


def tokens_of(answers: Answers) -> list[int]:
    assert answers.backend._decoder is not None
    return answers.backend._decoder.run.tokens


@pytest.fixture
def copy_of_glm4v(tiny_glm4v: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_glm4v, folder)
    return folder


def test_progress_is_told_in_order(glm4v: Answers) -> None:
    events: list[Any] = []
    glm4v.ask(QUESTION, on_event=events.append)
    stages = [event.stage for event in events if isinstance(event, Progress)]
    assert stages == ["images", "prompt"]
    assert isinstance(events[2], TextDelta)


def test_no_images_no_image_stage(glm4v: Answers) -> None:
    events: list[Any] = []
    finished, _ = glm4v.ask(user("Hello?"), on_event=events.append)
    assert [event.stage for event in events if isinstance(event, Progress)] == ["prompt"]
    assert finished.usage.image_tokens == 0


def test_the_same_seed_gives_the_same_answer_and_another_one_another(glm4v: Answers) -> None:
    def sample(seed: int) -> list[int]:
        glm4v.ask(QUESTION, sampling=Sampling(48, temperature=1.5, top_p=1.0, top_k=50, seed=seed))
        return tokens_of(glm4v)

    first = sample(1)
    assert sample(1) == first
    assert sample(2) != first


def test_without_a_seed_two_fresh_starts_differ(glm4v: Answers) -> None:
    def sample() -> list[int]:
        torch.manual_seed(0)
        glm4v.ask(QUESTION, sampling=Sampling(48, temperature=1.5, top_p=1.0, top_k=50))
        return tokens_of(glm4v)

    assert sample() != sample()


def test_sampling_left_open_follows_the_checkpoint(copy_of_glm4v: Path) -> None:
    set_generation(copy_of_glm4v, do_sample=False)
    answers = Answers(copy_of_glm4v)
    answers.ask(QUESTION, sampling=Sampling(24))
    unspecified = tokens_of(answers)
    answers.ask(QUESTION, sampling=Sampling(24, temperature=0))
    assert tokens_of(answers) == unspecified


@pytest.mark.parametrize("position", [3, 7])
def test_any_of_several_stop_ids_ends_the_answer(
    glm4v: Answers, copy_of_glm4v: Path, position: int
) -> None:
    glm4v.ask(QUESTION)
    usual = tokens_of(glm4v)
    stop = usual[position]
    set_generation(copy_of_glm4v, eos_token_id=[480, stop, 481])
    answers = Answers(copy_of_glm4v)
    finished, _ = answers.ask(QUESTION)
    expected = usual[: usual.index(stop) + 1]
    assert tokens_of(answers) == expected
    assert finished.reason is FinishReason.STOP
    assert finished.usage.completion_tokens == len(expected)


def test_the_answer_marks_stay_and_special_tokens_go(glm4v: Answers) -> None:
    decoder = glm4v.backend._decoder
    assert decoder is not None
    name = decoder._tokenizer.convert_tokens_to_ids
    assert name("<think>") not in decoder._hidden
    assert name("</answer>") not in decoder._hidden  # a stop id, and still part of the text
    assert name("<|user|>") in decoder._hidden
    assert name("<|endoftext|>") in decoder._hidden


def test_max_new_tokens_ends_the_answer(glm4v: Answers) -> None:
    finished, _ = glm4v.ask(QUESTION, sampling=Sampling(5, temperature=0))
    assert finished.reason is FinishReason.LENGTH
    assert finished.usage.completion_tokens == 5
    assert finished.timing.first_token_s is not None
    assert 0 < finished.timing.first_token_s < finished.timing.total_s
    assert finished.timing.decode_tokens_per_s is not None


def test_an_answer_ends_where_the_context_does(glm4v: Answers) -> None:
    limit = glm4v.info.context_length
    assert limit == 2048
    word, _ = glm4v.ask(user("x"), sampling=Sampling(1, temperature=0))
    near = user("x" * (limit - word.usage.prompt_tokens - 5))
    finished, _ = glm4v.ask(near)
    used = finished.usage
    assert used.prompt_tokens + used.completion_tokens == limit
    assert finished.reason is FinishReason.LENGTH


def test_a_prompt_beyond_the_context_is_refused_with_the_numbers(glm4v: Answers) -> None:
    with pytest.raises(UsageError) as caught:
        glm4v.ask(user("word " * 3000, "wide"))
    assert "2,048" in caught.value.body
    assert "of them for images" in caught.value.body
    assert caught.value.remedy
    glm4v.ask(QUESTION)


def test_an_abort_ends_within_one_step_and_keeps_the_text(glm4v: Answers) -> None:
    glm4v.ask(QUESTION)
    usual = tokens_of(glm4v)
    finished, told = glm4v.ask(QUESTION, should_stop=lambda: len(tokens_of(glm4v)) >= 6)
    assert finished.reason is FinishReason.ABORT
    written = tokens_of(glm4v)
    assert written == usual[: len(written)]
    assert 6 <= len(written) <= 7
    assert told
    glm4v.ask(QUESTION)
    assert tokens_of(glm4v) == usual


def test_an_abort_while_the_prompt_is_read_ends_between_two_layers(glm4v: Answers) -> None:
    asked = iter(range(100))
    finished, told = glm4v.ask(QUESTION, should_stop=lambda: next(asked) >= 2)
    assert finished.reason is FinishReason.ABORT
    assert finished.usage.completion_tokens == 0
    assert finished.timing.first_token_s is None
    assert told == ""
    assert glm4v.ask(QUESTION)[0].reason is FinishReason.LENGTH


def test_hooks_are_gone_after_the_first_token(glm4v: Answers) -> None:
    glm4v.ask(QUESTION)
    decoder = glm4v.backend._decoder
    assert decoder is not None
    assert len(decoder.loop._blocks) == 4  # two of the vision tower, two of the language model
    assert not any(block._forward_pre_hooks for block in decoder.loop._blocks)
    assert not decoder._model._forward_pre_hooks


def test_the_cache_is_counted_as_what_it_takes(glm4v: Answers) -> None:
    seen: list[int] = []
    glm4v.ask(QUESTION, on_event=lambda event: seen.append(glm4v.backend.kv_bytes))
    per_token = 2 * 2 * 2 * 16 * 4  # layers, keys and values, heads, head size, bytes
    room = glm4v.backend.kv_bytes / per_token
    assert room > 0
    assert room % 1024 == 0  # it grows by so many tokens
    assert seen[-1] == glm4v.backend.kv_bytes


def test_repetition_penalty_changes_the_answer(glm4v: Answers) -> None:
    glm4v.ask(QUESTION)
    usual = tokens_of(glm4v)
    glm4v.ask(QUESTION, sampling=Sampling(48, temperature=0, repetition_penalty=1.5))
    assert tokens_of(glm4v) != usual


def test_an_image_that_was_never_put_is_named(glm4v: Answers) -> None:
    lost = user("What?", "wide")
    lost = type(lost)(lost.role, lost.text, (type(lost.attachments[0])("/p", "lost-digest", 4, 4),))
    with pytest.raises(EngineError, match="did not reach the model"):
        glm4v.ask(lost)
