"""What measures a GPU where there is none: a reason, a remedy, and the exit code of wrong usage."""

from __future__ import annotations

import sys

import pytest
import torch

from glm4v_tui import cli


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    "words", ["memory", "memory --row int4", "ladder", "kernels", "speed --device cuda"]
)
def test_it_says_what_it_needs(words: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["glm4v-tui", "bench", *words.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    said = capsys.readouterr()
    title, reason, remedy = said.err.splitlines()
    assert "GPU" in title
    assert f"torch {torch.__version__}" in reason
    assert remedy.startswith("Check that nvidia-smi lists a GPU")
    assert said.out == ""
