"""What only a GPU can show. Run with ``pytest -m gpu`` on a machine that has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from glm4v_tui.engine.protocol import Generate, LoadModel, RgbImage, Sampling
from glm4v_tui.errors import OutOfMemoryError
from glm4v_tui.inference.backend import Backend
from glm4v_tui.inference.failures import explain
from tests.inference.conftest import PICTURES, user

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]


@pytest.fixture(scope="module")
def backend(tiny_glm4v: Path) -> Backend:
    one = Backend()
    one.load(LoadModel(str(tiny_glm4v)), lambda event: None)
    for key, picture in PICTURES.items():
        one.put_image(key, RgbImage(*picture.size, picture.tobytes()))
    return one


def ask(backend: Backend, *keys: str, **sampling: Any) -> Any:
    request = Generate("r", (user("What?", *keys),), Sampling(24, **sampling))
    return backend.generate(request, lambda event: None, lambda: False)


def test_auto_takes_the_gpu_in_bf16(tiny_glm4v: Path) -> None:
    info = Backend().load(LoadModel(str(tiny_glm4v)), lambda event: None)
    assert info.device.startswith("cuda:")
    capable = torch.cuda.is_bf16_supported(including_emulation=False)
    assert info.precision == ("bf16" if capable else "fp32")


def test_it_answers(backend: Backend) -> None:
    finished = ask(backend, "wide", "tall", temperature=0)
    assert finished.usage.completion_tokens == 24
    assert finished.usage.image_tokens > 0


def test_a_seed_repeats_a_sample(backend: Backend) -> None:
    def tokens() -> list[int]:
        ask(backend, "wide", temperature=1.2, top_p=1.0, seed=7)
        assert backend._decoder is not None
        return list(backend._decoder.run.tokens)

    assert tokens() == tokens()


def test_memory_is_told_per_gpu_by_the_drivers_name(backend: Backend) -> None:
    import pynvml

    ask(backend, "wide", temperature=0)
    pynvml.nvmlInit()
    known = {
        pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(index))
        for index in range(pynvml.nvmlDeviceGetCount())
    }
    readings = backend.device_memory()
    assert len(readings) == torch.cuda.device_count()
    assert {reading.uuid for reading in readings} <= known
    used = max(readings, key=lambda reading: reading.allocated)
    assert backend.weight_bytes <= used.allocated <= used.reserved
    assert used.peak > used.allocated


def test_memory_running_out_is_told_and_passes(backend: Backend) -> None:
    assert backend._decoder is not None
    device = backend._decoder._model.device
    with pytest.raises(torch.OutOfMemoryError) as caught:
        torch.empty(1 << 44, dtype=torch.uint8, device=device)
    assert type(explain(caught.value, "answering")) is OutOfMemoryError
    backend.recover()
    assert ask(backend, "wide", temperature=0).usage.completion_tokens == 24
