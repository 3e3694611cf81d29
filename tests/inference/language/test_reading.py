"""How far the reading of a prompt is, told while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from glm4v_tui.engine.protocol import Event, Generate, Progress, Sampling
from glm4v_tui.inference import reading_progress
from glm4v_tui.inference.language import reading
from glm4v_tui.inference.language.reading import counted, parts_of
from glm4v_tui.inference.reading_progress import told_now_and_then
from tests.checkpoints import MAKERS
from tests.inference.conftest import Answers, user
from tests.inference.language.test_writer import prompt_of, writer_of

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_told_in_even_steps_and_never_beyond_the_end() -> None:
    told: list[tuple[int, int]] = []
    asks = counted(lambda: False, 4, 1000, lambda *share: told.append(share))
    assert [asks() for _ in range(6)] == [False] * 6
    assert told == [(count, 1000) for count in (0, 250, 500, 750, 1000, 1000)]


def test_it_stops_as_before() -> None:
    assert counted(lambda: True, 1, 1, lambda *_: None)()


@pytest.mark.parametrize(("tokens", "parts"), [(1, 1), (4096, 1), (4097, 2)])
def test_parts(tokens: int, parts: int) -> None:
    assert parts_of(tokens) == parts


def test_a_prompt_in_parts_is_told_from_its_first_layer_to_its_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "TOKENS_AT_ONCE", 16)
    answers = Answers(MAKERS["glm4v"](tmp_path / "glm4v"))
    writer, prompt = writer_of(answers), prompt_of(answers, (user("What is it?", "wide"),))
    told: list[int] = []
    writer.begin(prompt, 8, lambda: False, (), lambda done, _: told.append(done))
    passes = len(writer.stack.layers) * parts_of(prompt.tokens)
    assert len(told) == passes
    assert told[0] == 0
    assert told == sorted(told)
    assert told[-1] == (passes - 1) * prompt.tokens // passes


def test_of_many_calls_few_are_told_and_a_short_question_tells_none() -> None:
    clock, told = iter([0.0, 0.1, 0.4, 0.6, 0.6, 0.7, 0.9, 0.9]), list[Event]()
    on_read = told_now_and_then("r", told.append, lambda: next(clock))
    for done in range(5):
        on_read(done, 10)
    assert told == [Progress("r", "prompt", 2, 10), Progress("r", "prompt", 4, 10)]


def test_a_question_that_is_read_for_long_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_progress, "_FIRST_S", 0.0)
    monkeypatch.setattr(reading_progress, "_EVERY_S", 0.0)
    answers = Answers(MAKERS["glm4v"](tmp_path / "glm4v"))
    told = list[Event]()
    request = Generate("r", (user("What is it?", "wide"),), Sampling(max_new_tokens=4))
    answers.backend.generate(request, told.append, lambda: False)
    shares = [one.done for one in told if isinstance(one, Progress) and one.total]
    assert shares == sorted(shares)
    assert len(shares) == 2  # one for each layer
