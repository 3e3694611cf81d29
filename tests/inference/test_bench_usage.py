"""What cannot be measured: a reason, a remedy, and the exit code of wrong usage."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from glm4v_tui import cli
from glm4v_tui.bench.speed import SpeedWishes, measure_speed
from glm4v_tui.errors import UsageError


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


WRONG = {
    "nosuch": ("There is no such model folder", "glm-4.1v, glm-4v-9b"),
    "--text 100000": ("100,228; the model reads 4,096", "less --text"),
    "glm-4.1v --text 40000 --device cpu": ("42,112; the model reads 32,768", "less --text"),
    "--seconds nan": ("'nan' is no number of seconds", "bench speed --help"),
    "--seconds -5": ("-5.0 is not in the range", "bench speed --help"),
    "memory --seconds nan": ("'nan' is no number of seconds", "bench memory --help"),
    "memory --pixels 3": ("3 is not in the range", "bench memory --help"),
    "forecast README.md": ("This is no file of measured rows", "bench memory --out FILE"),
    "tasks --images 1 --fonts tests": ("no font of these families", "bench tasks --help"),
    "picture nowhere/x.svg": ("There is no folder for nowhere/x.svg", "bench picture --help"),
    "speed --out nowhere/x": ("There is no folder for nowhere/x", "bench speed --help"),
    "triage --only zzz": ("No title has 'zzz' in it", "--only"),
    "interface --only zzz": ("No title has 'zzz' in it", "--only"),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_cannot_be_measured_is_refused_at_once(words: str, monkeypatch, capsys) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    monkeypatch.setattr(sys, "argv", ["glm4v-tui", "bench", *words.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code in (2, 4)
    said = capsys.readouterr()
    assert all(part in said.err for part in WRONG[words])
    assert said.out == ""


def test_as_much_as_the_model_reads_is_not_too_much(monkeypatch) -> None:
    monkeypatch.setattr("glm4v_tui.bench.speed._measure", lambda *_: None)
    measure_speed(SpeedWishes("", device="cpu", text=4096 - 100 - 128), lambda _: None)
    with pytest.raises(UsageError):
        measure_speed(SpeedWishes("", device="cpu", text=4096 - 100 - 127), lambda _: None)
