"""Everything that a GPU too small for a model asks for, with the CPU in the GPU's place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from glm4v_tui.inference import arranging, laying_out, loading
from glm4v_tui.inference.layout import GIB, Layout, Room, lay_out
from glm4v_tui.inference.pieces import feed_in_pieces
from glm4v_tui.inference.placement import Placement, choose_placement
from glm4v_tui.precision import PRECISIONS
from tests.checkpoints import MAKERS
from tests.inference.test_precisions import logits

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cpu_for_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module in (arranging, loading):
        monkeypatch.setattr(module, "gpu_device", lambda _: CPU)
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))


def on_gpus(
    folder: Path, precision: str, vision: str, layers: tuple[Any, ...] | None = None
) -> loading.Loaded:
    """Loaded as on GPUs, with the places of the layers given or as they are decided."""
    gpus = ((0, 80 * GIB), (1, 80 * GIB))
    placement = Placement(
        precision,
        "cuda",
        PRECISIONS[precision],
        "bf16",
        gpus,
        vision,  # type: ignore[arg-type]
    )

    def decide(sizes: Any, room: Room, *args: Any, **kwargs: Any) -> Layout:
        layout = lay_out(sizes, room, *args, **kwargs)
        return layout if layers is None else Layout(layout.gpu, layout.vision, layers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(laying_out, "lay_out", decide)
        return loading.load(str(folder), placement, lambda *_: None)


def reference(folder: Path, precision: str) -> torch.Tensor:
    placement = choose_placement(precision, "cpu", lambda itemsize: itemsize)
    with pytest.MonkeyPatch.context() as patch:  # the CPU's own kernel rounds otherwise
        patch.setattr(arranging.Nf4Linear, "lay_out_for_cpu", lambda _: None)
        return all_logits(loading.load(str(folder), placement, lambda *_: None).model)


def all_logits(model: Any) -> torch.Tensor:
    """Twice, as prompt and answer do; with the tower where the family is glm4v."""
    first = logits(model)
    assert torch.equal(logits(model), first)
    if model.config.model_type != "glm4v":
        return first
    return torch.cat([first, _seen(model)])


def _seen(model: Any) -> torch.Tensor:
    """Logits of a prompt with an image of four by four patches."""
    torch.manual_seed(5)
    token = model.config.image_token_id
    ids = torch.tensor([[40, 41, token, token, token, token, 42]])
    with torch.inference_mode():
        output = model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            mm_token_type_ids=(ids == token).int(),
            pixel_values=torch.randn(16, 1176, dtype=torch.bfloat16),
            image_grid_thw=torch.tensor([[1, 4, 4]]),
        )
    seen: torch.Tensor = output.logits[0].float()
    return seen


PLACES = [
    ("resident", None, "cuda:0"),
    ("parked", None, "cuda:0+host"),
    ("streamed", None, "cuda:0+host"),
    ("streamed", ("host", "host"), "cuda:0+host"),
    ("resident", (0, "disk"), "cuda:0+disk"),
    ("resident", (0, 1), "cuda:0+1"),
]


@pytest.mark.parametrize(("vision", "layers", "device"), PLACES)
@pytest.mark.parametrize("precision", ["bf16", "mixed", "int4-compact"])
def test_places_change_nothing_but_the_place(
    precision: str, vision: str, layers: Any, device: str, tiny_glm4v: Path
) -> None:
    loaded = on_gpus(tiny_glm4v, precision, vision, layers)
    assert loaded.device == device
    assert torch.equal(all_logits(loaded.model), reference(tiny_glm4v, precision))


@pytest.mark.parametrize(("vision", "layers", "device"), PLACES)
def test_kept_weights_go_to_the_same_places(
    vision: str, layers: Any, device: str, tiny_glm4v: Path
) -> None:
    placement = choose_placement("int4-compact", "cpu", lambda itemsize: itemsize)
    loading.load(str(tiny_glm4v), placement, lambda *_: None, keep=True)
    loaded = on_gpus(tiny_glm4v, "int4-compact", vision, layers)
    assert (loaded.from_saved, loaded.device) == (True, device)
    assert torch.equal(all_logits(loaded.model), reference(tiny_glm4v, "int4-compact"))


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_every_family_can_be_streamed(name: str, tmp_path: Path) -> None:
    folder = MAKERS[name](tmp_path / name)
    loaded = on_gpus(folder, "int4-compact", "streamed", ("host", "host"))
    assert torch.equal(all_logits(loaded.model), reference(folder, "int4-compact"))


def test_weights_are_counted_wherever_they_are(tiny_glm4v: Path) -> None:
    here = on_gpus(tiny_glm4v, "int4-compact", "resident").model
    away = on_gpus(tiny_glm4v, "int4-compact", "streamed", ("host", "host")).model
    assert loading.count_weights(here) == loading.count_weights(away)


def test_a_model_tells_the_gpu_as_its_device_and_its_own_dtype(tiny_glm4v: Path) -> None:
    model = on_gpus(tiny_glm4v, "int4-compact", "parked").model
    assert (model.device, model.dtype) == (CPU, torch.bfloat16)
    assert not isinstance(model.get_input_embeddings(), torch.nn.Embedding)


def test_feed_forward_in_pieces_is_the_same(tiny_glm4v: Path) -> None:
    placement = choose_placement("fp32", "cpu", lambda itemsize: itemsize)
    model = loading.load(str(tiny_glm4v), placement, lambda *_: None).model
    whole = logits(model)
    seen: list[int] = []
    for layer in model.model.language_model.layers:
        layer.mlp.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[-2]))
    feed_in_pieces(model.model.language_model.layers, 7)
    down = model.model.language_model.layers[0].mlp.down_proj
    down.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[-2]))
    torch.testing.assert_close(logits(model), whole, rtol=1e-4, atol=1e-4)
    assert seen == [20, 7, 7, 6, 20]
