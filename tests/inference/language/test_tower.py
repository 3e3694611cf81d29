"""The vision tower's lean way beside transformers' own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import Glm4vConfig, Glm4vForConditionalGeneration
from transformers.models.glm4v.modeling_glm4v import Glm4vVisionModel
from transformers.models.glm4v_moe.configuration_glm4v_moe import Glm4vMoeVisionConfig
from transformers.models.glm4v_moe.modeling_glm4v_moe import Glm4vMoeVisionModel

from glm4v_tui.inference import kernels
from glm4v_tui.inference.language.tower import is_known, use_lean_tower
from glm4v_tui.inference.language.tower_positions import add_positions, taps
from glm4v_tui.inference.quantized.layers import Int8Linear, Nf4Linear
from glm4v_tui.inference.slab import Parked, Streamed

CPU = torch.device("cpu")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
"""Of the kernels, which are interpreted on a CPU."""
VISION = {
    "depth": 3, "hidden_size": 192, "num_heads": 3, "out_hidden_size": 128,
    "intermediate_size": 320, "image_size": 84, "attn_implementation": "sdpa",
}  # fmt: skip
"""Heads of 64, a table of 6x6 positions."""
GRIDS = [[1, 8, 12]], [[1, 6, 6], [1, 4, 10]]


def made(dtype: torch.dtype = torch.float64, **changes: Any) -> Any:
    torch.manual_seed(3)
    config = Glm4vConfig(vision_config=VISION | changes).vision_config
    config._attn_implementation = "sdpa"
    tower = Glm4vVisionModel(config).eval()
    for parameter in tower.parameters():
        parameter.data = torch.randn_like(parameter) * parameter.shape[-1] ** -0.5
    return tower.to(dtype)


def patches(grids: list[list[int]], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    count = sum(rows * columns for _, rows, columns in grids)
    return torch.randn(count, 1176, generator=torch.Generator().manual_seed(8)).to(dtype)


def seen(tower: Any, grids: list[list[int]], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    inputs = patches(grids, dtype).to(tower.device)
    with torch.inference_mode():
        found = tower(inputs, grid_thw=torch.tensor(grids).to(tower.device))
    result: torch.Tensor = found.pooler_output
    return result


def far(found: torch.Tensor, expected: torch.Tensor) -> float:
    found, expected = found.double().cpu(), expected.double().cpu()
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("grids", GRIDS)
@pytest.mark.parametrize(("dtype", "most"), [(torch.float64, 1e-6), (torch.float32, 1e-5)])
def test_it_sees_the_same(grids: list[list[int]], dtype: torch.dtype, most: float) -> None:
    """Norms, turning and positions are in float32 either way, also where the rest is not."""
    tower = made(dtype)
    expected = seen(tower, grids, dtype)
    assert use_lean_tower(tower)
    assert far(seen(tower, grids, dtype), expected) < most


def test_16_bits_are_as_far_from_float64_as_transformers_own() -> None:
    exact, tower = seen(made(), GRIDS[0]), made(torch.bfloat16)
    before = far(seen(tower, GRIDS[0], torch.bfloat16), exact)
    use_lean_tower(tower)
    assert far(seen(tower, GRIDS[0], torch.bfloat16), exact) < 1.2 * before


def test_the_tower_of_experts_is_the_same() -> None:
    torch.manual_seed(4)
    config = Glm4vMoeVisionConfig(**VISION)
    config._attn_implementation = "sdpa"
    tower = Glm4vMoeVisionModel(config).double().eval()
    expected = seen(tower, GRIDS[0])
    assert use_lean_tower(tower)
    assert far(seen(tower, GRIDS[0]), expected) < 1e-6


def test_using_it_twice_changes_nothing() -> None:
    tower = made()
    assert use_lean_tower(tower)
    parts = (tower, *tower.blocks)
    forwards = [part.forward for part in parts]
    assert use_lean_tower(tower)
    assert [part.forward for part in parts] == forwards


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kernels, in Triton's interpreter; the names of those that were used."""
    pytest.importorskip("triton")
    used: list[str] = []
    monkeypatch.setattr(kernels, "is_usable", lambda x: x.dtype == torch.float16)
    for name in ("turn_", "gate_", "rms_norm", "add_rms_norm", "add_linear_"):
        monkeypatch.setattr(kernels, name, _noted(getattr(kernels, name), name, used))
    return used


def _noted(function: Any, name: str, used: list[str]) -> Any:
    def noting(*args: Any, **kwargs: Any) -> Any:
        used.append(name)
        return function(*args, **kwargs)

    return noting


@pytest.mark.parametrize("kind", [None, Int8Linear, Nf4Linear])
def test_the_kernels_see_the_same(interpreted: list[str], kind: Any) -> None:
    """Packed weights: beside the weights that they stand for."""
    tower, exact = made(torch.float16, depth=1), made(depth=1)
    if kind is not None:
        _pack(tower, exact, kind)
    expected = seen(exact, GRIDS[1])
    use_lean_tower(tower.to(DEVICE))
    assert far(seen(tower, GRIDS[1], torch.float16), expected) < 4e-3
    assert set(interpreted) == {"turn_", "gate_", "rms_norm", "add_rms_norm", "add_linear_"}
    assert interpreted.count("turn_") == 1


def _pack(tower: Any, exact: Any, kind: Any) -> None:
    from glm4v_tui.inference.quantized.kernels import require_kernels

    require_kernels()
    names = [name for name, part in tower.named_modules() if type(part) is torch.nn.Linear]
    for name in names:
        layer = kind(tower.get_submodule(name))
        layer.take(layer.pack(layer.weight.data))
        tower.set_submodule(name, layer)
        whole = layer.unpack(torch.float32) if kind is Nf4Linear else _whole(layer)
        exact.get_submodule(name).weight.data = whole.double()


def _whole(layer: Int8Linear) -> torch.Tensor:
    return layer.weight.double() * layer.scale.double()[:, None] / 127


@pytest.mark.parametrize("place", ["parked", "streamed"])
def test_weights_may_be_elsewhere_until_they_are_used(place: str) -> None:
    """Also where they leave after the tower was made lean."""
    tower = made()
    expected = seen(tower, GRIDS[0])
    use_lean_tower(tower)
    if place == "parked":
        Parked(tower, CPU)
    else:
        Streamed(list(tower.blocks), CPU, is_endless=False)
    for _ in range(2):
        assert far(seen(tower, GRIDS[0]), expected) < 1e-6


def test_hooks_of_blocks_are_called() -> None:
    tower = made()
    use_lean_tower(tower)
    called: list[int] = []
    for number, block in enumerate(tower.blocks):
        block.register_forward_hook(lambda *_, number=number: called.append(number))
    seen(tower, GRIDS[0])
    assert called == [0, 1, 2]


def test_what_is_asked_for_besides_is_left_to_transformers() -> None:
    """Hidden states, and attention of another kind."""
    tower = made()
    inputs = {"hidden_states": patches(GRIDS[0]), "grid_thw": torch.tensor(GRIDS[0])}
    with torch.inference_mode():
        states = tower(**inputs, output_hidden_states=True).hidden_states
    use_lean_tower(tower)
    with torch.inference_mode():
        again = tower(**inputs, output_hidden_states=True).hidden_states
    assert len(again) == len(states)
    assert all(far(one, other) < 1e-6 for one, other in zip(again, states, strict=True))
    expected = seen(tower, GRIDS[0])
    tower.config._attn_implementation = "eager"
    assert far(seen(tower, GRIDS[0]), expected) < 1e-6


def test_gradients_are_left_to_transformers() -> None:
    tower = made(torch.float32)
    use_lean_tower(tower)
    found = tower(patches(GRIDS[0], torch.float32), grid_thw=torch.tensor(GRIDS[0]))
    found.pooler_output.sum().backward()
    assert tower.blocks[0].attn.qkv.weight.grad is not None


def test_a_tower_of_other_parts_is_left_as_it_is() -> None:
    tower = made()
    tower.blocks[0].attn.q_norm = torch.nn.Identity()
    assert not is_known(tower)
    assert not use_lean_tower(tower)
    assert "forward" not in vars(tower)
    hooked = made()
    hooked.blocks[1].mlp.register_forward_pre_hook(lambda *_: None)
    assert not use_lean_tower(hooked)


def test_a_whole_model_uses_it() -> None:
    from glm4v_tui.inference.language.sight import sight_of

    ids = dict.fromkeys(("image_token_id", "video_token_id"), 90)
    text = {
        "hidden_size": 128, "num_hidden_layers": 1, "intermediate_size": 256,
        "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 100, "pad_token_id": 0,
    }  # fmt: skip
    model = Glm4vForConditionalGeneration(
        Glm4vConfig(vision_config=VISION, text_config=text, **ids)
    )
    sight_of(model)
    assert getattr(model.model.visual.forward, "func", None) is not None


# Positions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [(8, 12), (6, 6), (2, 30), (40, 4)])
def test_positions_are_those_that_are_sampled(grid: tuple[int, int]) -> None:
    """Beside transformers' own, which samples each place by ``grid_sample``."""
    embeddings = made(torch.float32).embeddings
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    count = grid[0] * grid[1]
    with torch.inference_mode():
        expected = embeddings(
            *(torch.zeros(count, 192), torch.tensor([count]), torch.tensor([[1, *grid]])),
            *(rows.flatten(), columns.flatten()),
        )
        found = torch.zeros(1, 1, *grid, 192)
        add_positions(found, embeddings.position_embedding.weight, grid)
    assert (found.view(count, 192) - expected).abs().max() < 2e-5 * expected.abs().max()


def test_taps_of_a_grid_of_the_tables_size_take_one_place_each() -> None:
    assert torch.equal(taps(24, 24), torch.eye(24))
    assert torch.allclose(taps(80, 24).sum(1), torch.ones(80))
