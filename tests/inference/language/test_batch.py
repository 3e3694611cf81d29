"""Answers written together against the same ones written alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch

from glm4v_tui.chat import Message
from glm4v_tui.engine.protocol import FinishReason, ResultForm, Sampling
from glm4v_tui.errors import EngineError
from glm4v_tui.inference.draft import Answered
from glm4v_tui.inference.language import batch as batch_module
from glm4v_tui.inference.language import kv_cache
from glm4v_tui.inference.language.batch import Batch, Row
from glm4v_tui.inference.language.kernel_weights import KernelWeights
from tests.checkpoints import MAKERS
from tests.inference.conftest import Answers, assistant, system, user
from tests.inference.language.test_writer import GLM, decoder_of, prompt_of, writer_of

FORM = ResultForm('{"type": "array", "items": {"enum": ["red", "green"]}, "maxItems": 4}')


def greedy(limit: int) -> Sampling:
    return Sampling(max_new_tokens=limit, temperature=0)


ASKED: list[tuple[tuple[Message, ...], Sampling, ResultForm | None]] = [
    ((user("What is it?", "wide"),), greedy(20), None),
    ((user("hello"),), greedy(3), None),
    ((user("What is it?", "tall"),), greedy(30), FORM),
    ((system("Be short."), user("Which is larger?", "tall", "wide")), greedy(9), None),
    ((user("one"), assistant("two"), user("three")), greedy(26), None),
    ((user("What is it?", "wide"),), Sampling(12, temperature=1.0, seed=5), None),
    ((user("And this?", "wide"),), Sampling(14, temperature=0, repetition_penalty=1.4), None),
    ((user("What is it?", "wide"),), Sampling(16, temperature=0.9, seed=6), FORM),
]
"""Lengths, images, forms and settings that differ."""


@pytest.fixture(scope="module", params=GLM)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    folder = tmp_path_factory.mktemp("family") / request.param
    return Answers(MAKERS[request.param](folder))


class Stage:
    """A batch of a model's answers."""

    def __init__(self, answers: Answers, most: int = 4) -> None:
        self.answers, self.decoder = answers, decoder_of(answers)
        self.batch = Batch(writer_of(answers), most, self.decoder.loop.stoppable)
        self.begun: dict[int, tuple[Row, Callable[[], Answered]]] = {}
        self.to_stop: set[int] = set()
        self.ended: list[int] = []

    def add(self, number: int, asked: Any = None) -> Row:
        messages, sampling, form = asked or ASKED[number]
        prompt = prompt_of(self.answers, messages)
        row, end = self.decoder.row(
            prompt, sampling, lambda *_: None, lambda: number in self.to_stop, form
        )
        self.begun[number] = row, end
        self.batch.add(row)
        return row

    def work(self, times: int = 1) -> None:
        for _ in range(times):
            for ended in self.batch.work():
                self.ended += [number for number, (row, _) in self.begun.items() if row is ended]

    def finish(self) -> dict[int, Answered]:
        while not self.batch.is_idle:
            self.work()
        return {number: end() for number, (_, end) in self.begun.items()}


def alone(answers: Answers, numbers: Iterable[int]) -> dict[int, tuple[int, ...]]:
    found = {}
    for number in numbers:
        messages, sampling, form = ASKED[number]
        prompt = prompt_of(answers, messages)
        writer_of(answers).release()
        found[number] = (
            decoder_of(answers)
            .answer(prompt, sampling, lambda *_: None, lambda: False, form)
            .tokens
        )
    return found


@pytest.fixture(scope="module")
def expected(family: Answers) -> dict[int, tuple[int, ...]]:
    return alone(family, range(len(ASKED)))


def tokens_of(done: dict[int, Answered]) -> dict[int, tuple[int, ...]]:
    return {number: answered.tokens for number, answered in done.items()}


@pytest.mark.parametrize("most", [1, 3, 8])
def test_answers_are_those_written_alone(
    family: Answers, expected: dict[int, tuple[int, ...]], most: int
) -> None:
    stage = Stage(family, most)
    for number in range(len(ASKED)):
        stage.add(number)
    assert tokens_of(stage.finish()) == expected
    assert not stage.batch.rows


def test_rows_join_and_leave_at_different_times(
    family: Answers, expected: dict[int, tuple[int, ...]]
) -> None:
    stage = Stage(family, most=3)
    most = 0
    for number in range(len(ASKED)):
        stage.add(number)
        stage.work(3)
        most = max(most, len(stage.batch.rows))
    assert tokens_of(stage.finish()) == expected
    assert most == 3
    assert stage.ended != sorted(stage.ended)  # a short answer does not wait for a long one


@pytest.mark.parametrize("by_kernels", [False, True])
def test_padded_slots_disturb_nobody(
    family: Answers,
    expected: dict[int, tuple[int, ...]],
    by_kernels: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a GPU, where a step has one of four sizes and begins before its token is known."""
    if by_kernels:  # in their plain form
        weights = KernelWeights(writer_of(family)._stack)
        monkeypatch.setattr(writer_of(family), "_weights", weights)
    for module in ("batch", "batch_room"):
        name = f"glm4v_tui.inference.language.{module}.sizes_for"
        monkeypatch.setattr(name, lambda _: (1, 4, 8))
    stage = Stage(family, most=8)
    stage.batch._is_ahead = True
    for number in range(len(ASKED)):
        stage.add(number)
        stage.work(2)
    assert tokens_of(stage.finish()) == expected


def test_an_abort_ends_its_row_alone(family: Answers, expected: dict[int, tuple[int, ...]]) -> None:
    stage = Stage(family, most=2)
    for number in (0, 4, 2):
        stage.add(number)
    stage.work(4)
    stage.to_stop = {0, 2}  # one is being written, one waits
    stage.work()
    assert sorted(stage.ended) == [0, 2]
    done = stage.finish()
    assert done[0].reason is done[2].reason is FinishReason.ABORT
    assert 0 < len(done[0].tokens) < len(expected[0])
    assert done[0].tokens == expected[0][: len(done[0].tokens)]
    assert done[2].tokens == ()
    assert done[4].tokens == expected[4]


def test_an_interrupted_prompt_is_read_later(
    family: Answers, expected: dict[int, tuple[int, ...]]
) -> None:
    stage = Stage(family)
    stage.add(0)
    asked = iter([False, False])  # by work(), before the first layer; from then on True

    assert stage.batch.work(lambda: next(asked, True)) == []
    assert (len(stage.batch.rows), stage.batch.waiting) == (0, 1)
    assert tokens_of(stage.finish()) == {0: expected[0]}


def test_one_that_fails_leaves_the_others(
    family: Answers, expected: dict[int, tuple[int, ...]]
) -> None:
    stage = Stage(family)
    stage.add(0)
    broken = stage.add(1)

    def fail(*_: Any) -> Any:
        raise EngineError("The form is at fault")

    broken.mask = fail
    done = stage.finish()
    assert isinstance(broken.error, EngineError)
    assert done[0].tokens == expected[0]


def test_slots_grow_for_a_longer_prompt(
    family: Answers, expected: dict[int, tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kv_cache, "STEP", 4)
    stage = Stage(family)
    for number in (1, 0, 3, 4):
        stage.add(number)
        stage.work(1)
    assert tokens_of(stage.finish()) == {number: expected[number] for number in (0, 1, 3, 4)}


def test_a_prompt_that_is_too_long_for_now_waits_for_the_others(
    family: Answers, expected: dict[int, tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kv_cache, "STEP", 4)
    stage = Stage(family)
    stage.add(1)
    stage.work(1)
    monkeypatch.setattr(batch_module, "free_bytes", lambda _: 0)
    stage.add(0)
    stage.work(1)
    assert (len(stage.batch.rows), stage.batch.waiting) == (1, 1)
    assert tokens_of(stage.finish()) == {number: expected[number] for number in (0, 1)}


def test_rows_follow_the_memory_that_is_free(
    family: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glm4v_tui.inference.language import batch_room

    stack = writer_of(family)._stack
    one = batch_room.row_bytes(stack, 100)
    single = kv_cache.KvCache(stack)
    single.make_room(100)
    assert one == single.nbytes
    found = []
    for free in (0, one, 3 * one + 1, 100 * one):
        monkeypatch.setattr(batch_room, "free_bytes", lambda _, free=free: free)
        found.append(batch_room.affordable(stack, 100, 16))
    assert found == [1, 1, 3, 8]


@pytest.mark.parametrize("where", ["reading", "writing", "room"])
def test_memory_running_out_halves_the_rows_and_loses_nothing(
    family: Answers,
    expected: dict[int, tuple[int, ...]],
    where: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(family, most=4)

    def limited(call: Any) -> Any:
        def run(*args: Any) -> Any:
            if len(stage.batch._slots) > 2 and len(stage.batch.rows) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return call(*args)

        return run

    if where == "reading":
        writer = writer_of(family)
        monkeypatch.setattr(writer, "read_into", limited(writer.read_into))
    elif where == "writing":
        call = batch_module.BatchStep.run
        monkeypatch.setattr(batch_module.BatchStep, "run", limited(call))
    else:
        made = kv_cache.KvCache.make_room

        def make_room(cache: kv_cache.KvCache, tokens: int, kept: int = 0) -> None:
            if cache.rows > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            made(cache, tokens, kept)

        monkeypatch.setattr(kv_cache.KvCache, "make_room", make_room)
    for number in range(len(ASKED)):
        stage.add(number)
    assert tokens_of(stage.finish()) == expected
    assert stage.batch._limit == 2


def test_without_memory_for_a_single_row_it_fails(
    family: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    stage = Stage(family)
    monkeypatch.setattr(writer_of(family), "read_into", fail)
    rows = [stage.add(number) for number in (0, 1)]
    stage.finish()
    assert all(isinstance(row.error, torch.OutOfMemoryError) for row in rows)


def test_memory_is_given_back_in_the_middle(
    family: Answers, expected: dict[int, tuple[int, ...]]
) -> None:
    stage = Stage(family)
    for number in (0, 3, 7):
        stage.add(number)
    stage.work(5)
    stage.batch.step_back()
    assert stage.batch.nbytes == 0
    assert tokens_of(stage.finish()) == {number: expected[number] for number in (0, 3, 7)}


def test_images_of_a_batch_drive_no_features_out(family: Answers) -> None:
    writer_of(family).release()
    stage = Stage(family)
    stage.add(0)
    stage.finish()
    assert writer_of(family).features.nbytes == 0
