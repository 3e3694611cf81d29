"""What only two GPUs can show: ``pytest -m gpu`` on a machine that has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from glm4v_tui.engine.protocol import Generate, LoadModel, RgbImage, Sampling
from glm4v_tui.inference import kernels, laying_out, transfer
from glm4v_tui.inference.backend import Backend
from glm4v_tui.inference.layout import Layout
from glm4v_tui.inference.transfer import Conveyor, gpu_device
from tests.inference.conftest import PICTURES, user

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are no two GPUs"),
]


def answer(folder: Path, precision: str, *, plain: bool = False) -> tuple[str, list[int]]:
    backend = Backend()
    info = backend.load(LoadModel(str(folder), precision), lambda _: None)
    for key, picture in PICTURES.items():
        backend.put_image(key, RgbImage(*picture.size, picture.tobytes()))
    assert backend._decoder is not None
    if plain:
        backend._decoder.own = None
    request = Generate("r", (user("What?", "wide"),), Sampling(24, temperature=0))
    backend.generate(request, lambda _: None, lambda: False)
    return info.device, list(backend._decoder.run.tokens)


@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
def test_layers_on_two_gpus_answer_as_on_one(
    precision: str, tiny_glm4v: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path))
    # They run on one GPU, and round otherwise than what takes their place on the other.
    monkeypatch.setattr(kernels, "is_usable", lambda _: False)
    _, expected = answer(tiny_glm4v, precision, plain=True)
    for first, second in ((0, 1), (1, 0)):
        layout = Layout(first, "resident", (first, second))
        monkeypatch.setattr(laying_out, "lay_out", lambda *_, layout=layout, **__: layout)
        assert answer(tiny_glm4v, precision) == (f"cuda:{first}+{second}", expected)


@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
def test_the_second_gpu_answers_as_the_first(
    precision: str, tiny_glm4v: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Triton launches on the current GPU, wherever the tensors are."""
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path))
    found = []
    for gpu in (0, 1):
        layout = Layout(gpu, "resident", (gpu, gpu))
        monkeypatch.setattr(laying_out, "lay_out", lambda *_, layout=layout, **__: layout)
        found.append(answer(tiny_glm4v, precision))
    assert [device for device, _ in found] == ["cuda:0", "cuda:1"]
    assert found[0][1] == found[1][1]


def test_pieces_go_to_both_gpus_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_PIECE", 1 << 20)
    conveyor = Conveyor()
    for turn in range(6):
        tensor = torch.randint(0, 256, ((3 << 20) + turn,), dtype=torch.uint8)
        arrived = conveyor.send(tensor, gpu_device(turn % 2))
        assert arrived.device.index == turn % 2
        assert torch.equal(arrived.cpu(), tensor)
    conveyor.close()
