"""What is measured on a GPU, tried on the CPU: memory that runs out is a test's, not a cap's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glm4v_tui.bench import ladder
from glm4v_tui.bench.ladder import CASES, Allocator, Asked, Case, Size, make_checkpoint, run_case
from glm4v_tui.inference.backend import Backend
from tests.shortages import Shortage

SMALL = Size(hidden=64, layers=6, heads=4, vision_hidden=32, vision_layers=2, side=112)


class Pretended(Allocator):
    """Counts nothing; once it is capped, the shortage sets in."""

    def __init__(self, shortage: Shortage) -> None:
        self.shortage, self.times = shortage, shortage.times
        shortage.times = 0

    def settle(self) -> None:
        pass

    def allocated(self) -> int:
        return 1000

    peak = allocated

    def cap(self, nbytes: int | None) -> None:
        if nbytes is not None:
            self.shortage.times = self.times


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("ladder") / "random", SMALL)


def run(case: Case, shortage: Shortage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    begin = Backend.__init__

    def begin_short(self: Backend) -> None:
        begin(self)
        shortage.watch(self)

    monkeypatch.setattr(Backend, "__init__", begin_short)
    return run_case(case, folder, Pretended(shortage), SMALL.side)


@pytest.mark.parametrize("case", CASES[:2], ids=lambda case: case.name)
def test_a_case_is_answered_and_compared(
    case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = run(case, Shortage(case.name, times=1), folder, monkeypatch)
    assert facts["ok"], facts
    assert facts["rungs"][0] == "free"
    assert facts["same"]


def test_an_answer_that_has_begun_needs_no_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = run(CASES[2], Shortage("decode", times=0), folder, monkeypatch)
    assert facts["ok"], facts
    facts = run(CASES[2], Shortage("decode", times=1, after=2 * 399 + 5), folder, monkeypatch)
    assert facts["whole"]
    assert not facts["ok"]


def test_a_hard_case_need_not_be_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = run(CASES[4], Shortage("prefill", times=3), folder, monkeypatch)
    assert facts["ok"], facts
    assert "precision" in facts["rungs"]


def test_a_cap_that_is_not_felt_is_no_success(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = run(CASES[0], Shortage("prefill", times=0), folder, monkeypatch)
    assert facts["whole"]
    assert not facts["ok"]


def test_a_failure_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = run(CASES[0], Shortage("prefill", times=99), folder, monkeypatch)
    assert "OutOfMemoryError" in facts["failed"]


def test_caps_lie_where_they_are_to_be_felt() -> None:
    free = Asked(before=1000, first=1400, peak=2000)
    assert ladder._cap(CASES[0], free) == 1200
    assert ladder._cap(CASES[2], free) == 1400 + (64 << 20)
    assert ladder._cap(CASES[4], free) == 600
