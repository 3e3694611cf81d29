"""What only a GPU can show. Run with ``pytest -m gpu`` on a machine that has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace

from glm4v_tui.engine.protocol import Generate, LoadModel, RgbImage, Sampling
from glm4v_tui.errors import OutOfMemoryError
from glm4v_tui.inference import laying_out, loading
from glm4v_tui.inference.backend import Backend
from glm4v_tui.inference.failures import explain
from glm4v_tui.inference.layout import Layout, lay_out
from glm4v_tui.inference.placement import Placement, choose_placement
from glm4v_tui.precision import PRECISIONS
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
    assert info.precision == ("bf16" if capable else "fp16")


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


@pytest.mark.parametrize("vision", ["parked", "streamed"])
@pytest.mark.parametrize("precision", [*PRECISIONS])
def test_where_weights_are_kept_changes_no_answer(
    precision: str, vision: str, tiny_glm4v: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Prefetching must not overtake computing: the same tokens from every place, every time."""
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path))
    if precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        pytest.skip("this GPU has no bf16")
    placement = choose_placement(precision, "cuda", lambda itemsize: itemsize)
    here = _tokens(tiny_glm4v, placement)
    away = replace(placement, vision=vision)
    for places in (None, ("host", "host"), ("host", "disk")):
        monkeypatch.setattr(laying_out, "lay_out", _laid_out(places))
        assert _tokens(tiny_glm4v, away) == here


def _laid_out(places: Any) -> Any:
    def decide(*args: Any, **options: Any) -> Layout:
        layout = lay_out(*args, **options)
        return layout if places is None else Layout(layout.gpu, layout.vision, places)

    return decide


def _tokens(folder: Path, placement: Placement) -> list[int]:
    model = loading.load(str(folder), placement, lambda *_: None).model
    token = model.config.image_token_id
    ids = torch.tensor([[40, 41, token, token, token, token, 42]], device="cuda")
    torch.manual_seed(5)
    pixels = torch.randn(16, 1176).to("cuda", model.dtype)
    grid = torch.tensor([[1, 4, 4]], device="cuda")
    made = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=(ids == token).int(),
        pixel_values=pixels, image_grid_thw=grid, do_sample=False, max_new_tokens=32,
    )  # fmt: skip
    tokens: list[int] = made[0].tolist()
    return tokens
