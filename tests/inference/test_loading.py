from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.errors import CheckpointError, UsageError
from glm4v_tui.inference import loading
from glm4v_tui.inference.backend import Backend
from glm4v_tui.inference.environment import compute_threads, usable_cores
from glm4v_tui.inference.placement import choose_placement
from tests.checkpoints import make_glm4v

needs_no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


def small(itemsize: int) -> int:
    """The bytes of a thousand parameters."""
    return 1000 * itemsize


@pytest.mark.parametrize("shards", [1, 3])
def test_weights_move_the_bar_in_bytes(
    tmp_path: Path, shards: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_glm4v(tmp_path / "model", shards=shards)
    monkeypatch.setattr(loading, "_REPORT_EVERY_S", 0.0)
    told: list[tuple[int, int]] = []
    loading.load_model(
        str(folder), choose_placement("fp32", "cpu", small), lambda *step: told.append(step)
    )
    done = [step[0] for step in told]
    stored = sum(len(tensor) for tensor in _all_bytes(folder))
    assert {total for _, total in told} == {stored}
    assert (done[0], done[-1]) == (0, stored)
    assert done == sorted(done)
    # Every tensor moves it: no step is bigger than the biggest tensor.
    steps = [after - before for before, after in itertools.pairwise(done)]
    assert max(steps) == max(len(tensor) for tensor in _all_bytes(folder))


def _all_bytes(folder: Path) -> list[bytes]:
    return [
        tensor.numpy().tobytes()
        for file in folder.glob("*.safetensors")
        for tensor in load_file(file).values()
    ]


def test_weights_that_lack_a_tensor_are_refused(tiny_glm4v: Path, tmp_path: Path) -> None:
    """transformers would go on with random numbers in its place."""
    folder = tmp_path / "copy"
    shutil.copytree(tiny_glm4v, folder)
    tensors = load_file(folder / "model.safetensors")
    lost = next(name for name in tensors if "layers.1.mlp" in name)
    del tensors[lost]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError) as caught:
        Backend().load(LoadModel(str(folder), "fp32", "cpu"), lambda event: None)
    assert "lacks 1 of the tensors" in caught.value.body


def test_nothing_is_asked_of_the_network(tiny_glm4v: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("socket.socket.connect", lambda _, address: asked.append(address))
    monkeypatch.setattr("socket.getaddrinfo", lambda *host: asked.append(host))
    Backend().load(LoadModel(str(tiny_glm4v), "fp32", "cpu"), lambda event: None)
    assert asked == []


def test_bf16_halves_the_weights(tiny_glm4v: Path) -> None:
    def load(precision: str) -> tuple[int, str]:
        info = Backend().load(LoadModel(str(tiny_glm4v), precision, "cpu"), lambda event: None)
        return info.weight_bytes, info.precision

    (small, small_name), (large, large_name) = load("bf16"), load("fp32")
    assert (small_name, large_name) == ("bf16", "fp32")
    assert 0.45 * large < small < 0.55 * large


def test_unloading_gives_the_model_up(tiny_glm4v: Path) -> None:
    backend = Backend()
    backend.load(LoadModel(str(tiny_glm4v), "fp32", "cpu"), lambda event: None)
    assert backend.can_measure
    backend.unload()
    assert not backend.can_measure
    assert backend.weight_bytes == 0


@needs_no_cuda
def test_auto_is_float32_on_a_cpu() -> None:
    chosen = choose_placement("auto", "auto", small)
    assert (chosen.precision, chosen.device) == ("fp32", "cpu")


@needs_no_cuda
def test_auto_is_bf16_on_a_cpu_whose_memory_is_too_small_for_float32() -> None:
    assert choose_placement("auto", "cpu", lambda itemsize: itemsize * 10**12).precision == "bf16"


@needs_no_cuda
def test_cuda_without_cuda_says_why() -> None:
    with pytest.raises(UsageError) as caught:
        choose_placement("auto", "cuda", small)
    assert torch.__version__ in caught.value.body
    assert "--device cpu" in caught.value.remedy


@pytest.mark.parametrize(("precision", "device"), [("int3", "cpu"), ("fp32", "tpu")])
def test_unknown_choices_name_the_known_ones(precision: str, device: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_placement(precision, device, small)
    assert "auto" in caught.value.remedy


def test_small_models_compute_with_few_threads() -> None:
    assert compute_threads(200_000) == 1
    assert compute_threads(10**12) == usable_cores() >= 1
