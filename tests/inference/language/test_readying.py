"""Kernels are compiled while a model is loaded; passes are done without until theirs are there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from glm4v_tui.inference.language import readying
from glm4v_tui.inference.language.choice import Settings
from glm4v_tui.inference.language.kernel_reading import KernelReader
from glm4v_tui.inference.language.kernel_weights import KernelWeights
from glm4v_tui.inference.language.steps import Steps
from tests.checkpoints import MAKERS
from tests.inference.conftest import Answers, user
from tests.inference.language.test_writer import prompt_of, writer_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from glm4v_tui.inference.language.writer import Writer

IMAGE = (user("What is it?", "wide"),)
LONG = 24


@pytest.fixture
def answers(tmp_path: Path) -> Answers:
    found = Answers(MAKERS["glm4v"](tmp_path / "glm4v"))
    writer = writer_of(found)
    # As on a GPU: the kernels' way, by plain torch.
    writer._weights = KernelWeights(writer.stack)
    writer._reader = KernelReader(writer._weights)
    writer._steps = Steps(writer.stack, writer._weights)
    return found


class Slow:
    """Compilers that take until they are told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[Slow] = []
        self.noted: list[dict[Any, Any]] = []
        self.launches: dict[Any, Any] = {}
        self.is_done, self.was_waited_for = False, False
        monkeypatch.setattr(readying, "Compiling", self._begin)
        monkeypatch.setattr(readying, "rehearsing", self._rehearse)
        monkeypatch.setattr(readying, "_draw", lambda _: None)

    def _begin(self, launches: dict[Any, Any], _: object) -> Slow:
        one = object.__new__(Slow)
        one.launches, one.is_done, one.was_waited_for = launches, False, False
        self.made.append(one)
        return one

    @contextlib.contextmanager
    def _rehearse(self) -> Iterator[dict[Any, Any]]:
        self.noted.append({("common", ""): 1, ("own", str(len(self.noted))): 1})
        yield self.noted[-1]

    def wait(self) -> None:
        self.was_waited_for = True


def answer(writer: Writer, answers: Answers) -> list[int]:
    prompt = prompt_of(answers, IMAGE)
    begun = writer.begin(prompt, LONG, lambda: False)
    before = prompt.inputs["input_ids"][0].tolist()
    return list(writer.tokens(begun, Settings(), [*before, *before], LONG, None))


def test_passes_wait_for_their_kernels_and_answers_for_theirs_only(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writer_of(answers)
    expected = answer(writer, answers)
    slow = Slow(monkeypatch)
    readying.compile_ahead(writer, prompt_of(answers, IMAGE))
    needed, later = slow.made
    assert needed.was_waited_for
    assert not later.was_waited_for
    assert set(later.launches) == {("own", "1")}  # what an answer needs is compiled already
    passes: list[int] = []
    few = writer.steps.few
    monkeypatch.setattr(writer.steps, "few", lambda *a: passes.append(1) or few(*a))
    monkeypatch.setattr(
        "glm4v_tui.inference.language.expectation.Lookup.expected", lambda _: [1, 2, 3]
    )
    assert answer(writer, answers) == expected
    assert not passes
    later.is_done = True
    assert answer(writer, answers) == expected
    assert passes


def test_nothing_of_the_rehearsal_is_kept(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writer_of(answers)
    slow = Slow(monkeypatch)
    readying.compile_ahead(writer, prompt_of(answers, IMAGE))
    assert writer.kept_bytes == 0
    assert writer._held == []
    assert len(slow.made) == 2


def test_a_rehearsal_that_fails_keeps_nothing_either(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writer_of(answers)
    expected = answer(writer, answers)
    slow = Slow(monkeypatch)

    def fail(_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(readying, "_draw", fail)
    with pytest.raises(RuntimeError):
        readying.compile_ahead(writer, prompt_of(answers, IMAGE))
    assert writer.kept_bytes == 0
    assert not slow.made
    assert writer.steps.has_passes
    assert answer(writer, answers) == expected
