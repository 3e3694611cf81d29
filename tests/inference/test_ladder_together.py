"""Memory that runs out while several questions are answered together loses none of them."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from glm4v_tui.engine.protocol import (
    Finished,
    FinishReason,
    Generate,
    ResultForm,
    Sampling,
    Scored,
    TextDelta,
)
from glm4v_tui.errors import EngineError, OutOfMemoryError
from glm4v_tui.inference.language.batch_step import BatchStep
from tests.checkpoints import MAKERS
from tests.inference.conftest import user
from tests.inference.language.test_writer import GLM
from tests.inference.test_ladder import SCHEMA, Chat, without_offloaded_cache
from tests.shortages import MESSAGE, Shortage

FORM = ResultForm(SCHEMA)
GREEDY, SEEDED = Sampling(30, temperature=0), Sampling(24, temperature=1.1, top_k=50, seed=3)
ASKED: tuple[tuple[Any, Sampling, ResultForm | None], ...] = (
    ((user("What is it?", "wide"),), GREEDY, None),
    ((user("And this?", "tall"),), GREEDY, FORM),
    ((user("Which is larger?", "tall", "wide"),), SEEDED, None),
    ((user("hello"),), Sampling(9, temperature=0), None),
    ((user("What is it?", "tall"),), Sampling(20, temperature=0, repetition_penalty=1.3), None),
)


class Several(Chat):
    """Asks as the worker does what is not urgent."""

    def __init__(self, folder: Path, precision: str = "fp32") -> None:
        super().__init__(folder, precision)
        self.ends: list[tuple[str, Finished | Exception]] = []
        self.alone: list[str] = []
        self.before: dict[str, str] = {}
        """What those had written that were gone on with alone."""
        self.rows = 0
        """Most that were written together."""
        self.aborted: set[str] = set()

    def begin(self, *numbers: int) -> None:
        self.events.clear()
        self.ends.clear()
        self.alone.clear()
        for number in numbers or range(len(ASKED)):
            messages, sampling, form = ASKED[number]
            request = Generate(f"{number}", messages, sampling, form, urgent=False)
            self.backend.ahead.keep(request)
            assert self.backend.ahead.can_join(request)
            self.backend.ahead.add(request, self._take, lambda n=number: f"{n}" in self.aborted)

    def work(self, until: Callable[[], bool] = lambda: False) -> None:
        while not self.backend.ahead.is_idle and not until():
            for request, end in self.backend.ahead.work(lambda: False):
                self._note(request, end)
            batch = self.backend.ahead._together._batch
            self.rows = max(self.rows, len(batch.rows) if batch else 0)

    def _note(self, request: Generate, end: Finished | Exception | None) -> None:
        name = request.request_id
        if end is None:
            self.alone.append(name)
            self.before[name] = self.texts().get(name, "")
            try:
                end = self.backend.generate(
                    request, self._take, lambda: name in self.aborted, self._consent
                )
            except OutOfMemoryError as error:
                end = error
        self.backend.ahead.let_go(request)
        self.ends.append((name, end))

    def finish(self) -> dict[str, str]:
        self.work()
        assert set(Counter(name for name, _ in self.ends).values()) == {1}
        assert not self.backend.ahead._alone
        for name, end in self.ends:
            told = [e for e in self.events if isinstance(e, TextDelta) and e.request_id == name]
            if isinstance(end, Finished):
                assert sum(event.tokens for event in told) == end.usage.completion_tokens
        return self.texts()

    def texts(self) -> dict[str, str]:
        told: dict[str, str] = {}
        for event in self.events:
            if isinstance(event, TextDelta):
                told[event.request_id] = told.get(event.request_id, "") + event.text
        return told

    def has_written(self) -> bool:
        return len(self.texts()) >= 3


@pytest.fixture
def several(tiny_glm4v: Path) -> Several:
    return Several(tiny_glm4v)


@pytest.fixture(scope="module")
def expected(tiny_glm4v: Path) -> dict[str, str]:
    return alone(Several(tiny_glm4v))


def alone(several: Several) -> dict[str, str]:
    found = {}
    for number, (messages, sampling, form) in enumerate(ASKED):
        several.ask(messages, sampling=sampling, form=form)
        found[f"{number}"] = several.text
    assert all(found.values())
    return found


@pytest.fixture
def short_steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Lets so many steps of several rows fail, after some that go well."""

    def shorten(times: int, after: int) -> None:
        run, counts = BatchStep.run, {"left": times, "after": after}

        def step(self: BatchStep, *args: Any) -> torch.Tensor:
            counts["after"] -= 1
            if counts["after"] < 0 and counts["left"]:
                counts["left"] -= 1
                raise torch.OutOfMemoryError(MESSAGE)
            return run(self, *args)

        monkeypatch.setattr(BatchStep, "run", step)

    return shorten


# Fewer at a time ----------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["vision", "prefill"])
@pytest.mark.parametrize("family", GLM)
def test_answers_are_the_same_wherever_the_memory_ran_out(
    part: str, family: str, tmp_path: Path
) -> None:
    several = Several(MAKERS[family](tmp_path / family))
    whole = alone(several)
    Shortage(part, times=1, after=6).watch(several.backend)
    several.begin()
    assert several.finish() == whole
    assert several.rows > 1
    assert not several.rungs
    assert not several.alone


def test_a_step_that_fails_is_made_with_fewer_rows(
    several: Several, expected: dict[str, str], short_steps: Any
) -> None:
    short_steps(1, 7)
    several.begin()
    assert several.finish() == expected
    assert several.backend.ahead._together._batch._limit == 4
    assert not several.rungs


def test_choosing_a_token_may_run_out_of_memory_as_well(
    several: Several, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from glm4v_tui.inference.language import batch

    fails = iter([False] * 6 + [True])
    arrival = batch.arrival

    def arrive(chosen: torch.Tensor) -> Any:
        if next(fails, False):
            raise torch.OutOfMemoryError(MESSAGE)
        return arrival(chosen)

    monkeypatch.setattr(batch, "arrival", arrive)
    several.begin()
    assert several.finish() == expected


# Alone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["vision", "prefill"])
def test_what_does_not_fit_even_alone_walks_the_ladder(
    part: str, several: Several, expected: dict[str, str]
) -> None:
    """Eight, four, two and one row fail, then the attempt alone, then the one after freeing."""
    Shortage(part, times=6).watch(several.backend)
    several.begin()
    assert several.finish() == expected
    assert several.alone == ["0"]
    assert several.rungs == ["free", "release"]


def test_an_answer_is_gone_on_with_alone_where_it_was(
    several: Several, expected: dict[str, str], short_steps: Any
) -> None:
    short_steps(4, 7)  # with slots for eight, four, two and one
    several.begin()
    assert several.finish() == expected
    (name,) = several.alone
    assert several.before[name]
    assert expected[name].startswith(several.before[name])
    assert not several.rungs  # alone there was room for it


def test_other_words_for_short_memory_count(several: Several, expected: dict[str, str]) -> None:
    words = "could not create a primitive"
    Shortage("prefill", times=5, error=lambda _: RuntimeError(words)).watch(several.backend)
    several.begin()
    assert several.finish() == expected
    assert several.rungs == ["free"]


def test_a_prompt_that_could_not_be_made_is_made_alone(
    several: Several, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Preparing an image takes host memory."""
    fails = iter([True])
    picture = several.backend._picture

    def take(key: str) -> Any:
        if next(fails, False):
            raise MemoryError
        return picture(key)

    monkeypatch.setattr(several.backend, "_picture", take)
    several.begin()
    assert several.finish() == expected
    assert several.alone == ["0"]


def test_in_vain_each_is_told_once(several: Several) -> None:
    Shortage("prefill", times=999).watch(several.backend)
    several.begin(0, 1)
    several.work()
    assert sorted(name for name, _ in several.ends) == ["0", "1"]
    assert all(isinstance(end, OutOfMemoryError) for _, end in several.ends)
    assert several.backend.ahead.is_idle


def test_an_abort_ends_what_goes_on_alone(several: Several) -> None:
    Shortage("prefill", times=999).watch(several.backend)
    several.begin(0)
    several.stops_at = "release"
    take = several._take

    def stop(event: Any) -> None:
        take(event)
        if several._stop:
            several.aborted.add("0")

    several._take = stop  # type: ignore[method-assign]
    several.work()
    ((_, end),) = several.ends
    assert isinstance(end, Finished)
    assert end.reason is FinishReason.ABORT


# What others need ---------------------------------------------------------------------------------


def test_a_question_that_somebody_waits_for_gets_the_memory_of_the_others(
    several: Several, expected: dict[str, str]
) -> None:
    several.begin()
    several.work(several.has_written)
    assert several.backend.ahead.nbytes
    shortage = Shortage("prefill", times=2)
    shortage.watch(several.backend)
    told = several.texts()
    before, several.events = several.events, []
    request = Generate("urgent", ASKED[0][0], GREEDY)
    several.backend.generate(request, several._take, lambda: False)
    assert several.rungs == ["free", "fewer"]
    assert several.text == expected["0"]
    assert not several.backend.ahead.nbytes
    several.events = before
    several.work()
    assert several.texts() == expected
    assert all(expected[name].startswith(text) for name, text in told.items())


def test_likelihoods_get_it_as_well(several: Several, expected: dict[str, str]) -> None:
    several.begin()
    several.work(several.has_written)
    Shortage("prefill", times=2).watch(several.backend)
    before = list(several.events)
    assert isinstance(several.score(("a red square", "a dog")), Scored)
    assert several.rungs == ["free", "fewer"]
    several.events[:] = before
    assert several.finish() == expected


def test_answers_outlast_the_model_that_began_them(
    several: Several, expected: dict[str, str]
) -> None:
    """It is loaded as bf16 for the sake of another question; what they had written stays."""
    several.begin()
    several.work(several.has_written)
    told, before = several.texts(), list(several.events)
    assert several.backend._decoder is not None
    old, alive = weakref.ref(several.backend._decoder.model), []
    load = several.backend._load

    def note(*args: Any) -> None:
        alive.append(old() is not None)
        load(*args)

    several.backend._load = note  # type: ignore[method-assign]
    Shortage("prefill", times=4).watch(several.backend)
    several.backend.generate(Generate("r", ASKED[0][0], GREEDY), several._take, lambda: False)
    assert several.rungs == ["free", "fewer", "release", "precision"]
    assert alive == [False]  # twice the weights is what there is no room for
    several.events[:], several.rows = before, 0
    found = several.finish()
    assert several.rows > 1
    assert found.keys() == expected.keys()
    assert all(found[name].startswith(text) for name, text in told.items())
    assert not several.alone


def test_without_a_model_the_next_one_that_is_asked_loads_it(several: Several) -> None:
    several.begin()
    several.work(several.has_written)
    several.backend.unload()  # as a failed loading leaves it
    several.finish()
    assert len(several.ends) == len(ASKED)
    assert all(isinstance(end, Finished) for _, end in several.ends)


def test_keys_and_values_in_host_memory_are_for_one_at_a_time(
    several: Several, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_offloaded_cache(several, monkeypatch)  # type: ignore[arg-type]
    several.begin(0, 1, 3)
    several.work(several.has_written)
    several.backend.keeps_kv_in_host = True
    found = several.finish()
    assert sorted(several.alone) == sorted(name for name, _ in several.ends)
    assert found == {name: expected[name] for name in ("0", "1", "3")}
    several.backend.keeps_kv_in_host = False
    several.rows = 0
    several.begin()
    assert several.finish() == expected
    assert several.rows > 1


def test_damaged_weights_are_told_of_every_answer(several: Several) -> None:
    assert several.backend._decoder is not None
    several.backend._decoder.own.stack.norm.weight.data.fill_(float("nan"))  # type: ignore[union-attr]
    several.begin(0, 1)
    several.work()
    assert len(several.ends) == 2
    for _, end in several.ends:
        assert isinstance(end, EngineError)
        assert "no numbers" in end.title
