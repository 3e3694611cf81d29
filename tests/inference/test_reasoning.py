"""Free text before a result: how much of it, how it ends, and what can never end it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch

from glm4v_tui.chat import split_answer
from glm4v_tui.engine.protocol import FinishReason, Sampling
from glm4v_tui.inference.result_form import FormBinder
from glm4v_tui.result_mark import RESULT_MARK
from glm4v_tui.tasks.results import ResultState
from tests.checkpoints import make_qwen2_5_vl
from tests.inference.conftest import Answers, user
from tests.inference.forms import Short, form, read

QUESTION = user("What is it?", "wide")
GREEDY = Sampling(max_new_tokens=200, temperature=0)
RESULT = '{"is_good": true, "grade": 7}'


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """A model whose prompt ends inside of a <think>."""
    return Answers(make_qwen2_5_vl(tmp_path_factory.mktemp("thinker") / "tiny"))


# Through a model --------------------------------------------------------------------------------


@pytest.mark.parametrize("allowance", [0, 1, 7, 40])
def test_any_family_reasons_as_long_as_it_may_and_then_answers(
    family: Answers, allowance: int
) -> None:
    finished, told = family.ask(QUESTION, sampling=GREEDY, form=form(Short, allowance))
    assert finished.reason is FinishReason.STOP
    assert read(Short, told).state is ResultState.WHOLE
    before = told.rpartition(RESULT_MARK)[0] or split_answer(told).thinking
    assert bool(before) == bool(allowance)


def test_thinking_that_the_prompt_opens_is_closed_at_once_without_an_allowance(
    thinker: Answers,
) -> None:
    _, told = thinker.ask(QUESTION, sampling=GREEDY, form=form(Short))
    assert told.startswith("<think>\n</think>{")


def test_an_answer_that_is_cut_in_its_reasoning_is_incomplete(thinker: Answers) -> None:
    short = Sampling(max_new_tokens=5, temperature=0)
    finished, told = thinker.ask(QUESTION, sampling=short, form=form(Short, 100))
    assert finished.reason is FinishReason.LENGTH
    assert read(Short, told, is_finished=False).state is ResultState.CUT


# Token by token ---------------------------------------------------------------------------------


class Bound:
    """A mask that is fed by hand."""

    def __init__(self, tokenizer: Any, allowance: int, *, opens_thinking: bool) -> None:
        self.tokenizer = tokenizer
        self.stop_ids = frozenset(tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|user|>"]))
        self.binder = FormBinder(tokenizer, len(tokenizer), self.stop_ids)
        self.mask = self.binder.bind(form(Short, allowance), opens_thinking=opens_thinking)
        self.written: list[int] = []

    def allowed(self) -> set[int]:
        scores = self.mask(torch.empty(0), torch.zeros(1, len(self.tokenizer)))
        return set(torch.nonzero(scores[0] == 0).flatten().tolist())

    def take(self, *tokens: int) -> None:
        for token in tokens:
            assert token in self.allowed(), self.tokenizer.decode([token])
            self.mask.take(token)
            self.written.append(token)

    def say(self, text: str) -> None:
        self.take(*self.tokenizer.encode(text, add_special_tokens=False))

    def forced(self) -> str:
        """Follow while only one token is allowed."""
        begin = len(self.written)
        while len(only := self.allowed()) == 1:
            self.take(*only)
        return str(self.tokenizer.decode(self.written[begin:]))

    def end(self) -> ResultState:
        self.say(RESULT)
        assert self.allowed() == self.stop_ids
        return read(Short, self.tokenizer.decode(self.written)).state


@pytest.fixture
def bound(thinker: Answers) -> Callable[..., Bound]:
    tokenizer = thinker.backend._decoder._tokenizer  # type: ignore[union-attr]

    def make(allowance: int, *more: str, opens_thinking: bool = False) -> Bound:
        own = deepcopy(tokenizer)
        own.add_tokens(list(more))
        return Bound(own, allowance, opens_thinking=opens_thinking)

    return make


def test_nothing_ends_an_answer_in_its_reasoning(bound: Callable[..., Bound]) -> None:
    one = bound(20)
    for word in ("It", " is", " a", " cat"):
        assert not one.allowed() & one.stop_ids
        one.say(word)
    assert len(one.allowed()) == len(one.tokenizer) - len(one.stop_ids)


def test_the_mark_begins_the_result(bound: Callable[..., Bound]) -> None:
    one = bound(100)
    one.say(f"A cat.\n{RESULT_MARK}")
    assert one.end() is ResultState.WHOLE


def test_the_mark_is_written_when_the_allowance_is_spent(bound: Callable[..., Bound]) -> None:
    one = bound(3)
    one.take(*one.tokenizer.encode("There are three animals")[:3])
    assert one.forced().startswith(RESULT_MARK)
    assert one.tokenizer.decode(one.written).endswith('{"is_good":')


def test_a_model_that_thinks_of_its_own_accord_ends_as_it_began(
    bound: Callable[..., Bound],
) -> None:
    one = bound(100)
    one.say(f"<think>It is {RESULT_MARK} a cat</think>")
    assert one.end() is ResultState.WHOLE
    spent = bound(2)
    spent.say("<think>")
    spent.take(one.tokenizer.encode("It")[0])
    assert spent.forced().startswith("</think>")


def test_thinking_that_the_prompt_opens_is_closed_by_the_model(
    bound: Callable[..., Bound],
) -> None:
    one = bound(100, opens_thinking=True)
    one.say("A cat, so </think>")
    one.say(RESULT)
    assert one.allowed() == one.stop_ids
    told = "<think>\n" + one.tokenizer.decode(one.written)
    assert read(Short, told).state is ResultState.WHOLE


def test_a_token_that_ends_the_mark_may_begin_the_result(bound: Callable[..., Bound]) -> None:
    one = bound(100, 'json\n{"')
    one.say("So: ```")
    one.say('json\n{"')
    one.say(RESULT.removeprefix('{"'))
    assert one.allowed() == one.stop_ids
    assert read(Short, one.tokenizer.decode(one.written)).state is ResultState.WHOLE


def test_a_token_that_ends_the_mark_with_something_else_is_followed_by_it_again(
    bound: Callable[..., Bound],
) -> None:
    one = bound(100, "json\nno")
    one.say("So: ```")
    one.say("json\nno")
    assert one.forced().startswith(RESULT_MARK)
    assert read(Short, one.tokenizer.decode(one.written), is_finished=False).json.startswith("{")


def test_blanks_after_the_mark_do_no_harm(bound: Callable[..., Bound]) -> None:
    one = bound(100, "json\n\n")
    one.say("So: ```")
    one.say("json\n\n")
    assert one.end() is ResultState.WHOLE
