"""Memory that really runs out on a GPU. Run with ``pytest -m gpu`` on a machine that has one.

Without pytest: ``python -m glm4v_tui.bench ladder``, which does the same.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from glm4v_tui.bench.ladder import CASES, Allocator, Case, Size, make_checkpoint, run_case

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("ladder") / "random", Size())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_question_is_answered_whatever_the_cap(case: Case, folder: Path) -> None:
    facts = run_case(case, folder, Allocator())
    assert facts["ok"], facts
