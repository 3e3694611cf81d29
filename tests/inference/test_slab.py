"""The machinery of moving, with the CPU in the GPU's place: what is computed must not change."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from glm4v_tui.inference.slab import Parked, Slab, Streamed

CPU = torch.device("cpu")


class Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8)) for _ in range(5)
        )
        self.register_buffer("shift", torch.randn(8))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            inputs = layer(inputs) + self.shift
        return inputs


@pytest.fixture
def inputs() -> torch.Tensor:
    return torch.randn(3, 8)


def ask_often(tower: Tower, inputs: torch.Tensor, expected: torch.Tensor) -> None:
    """In and out of inference mode, as answers and measurements do."""
    for _ in range(3):
        with torch.inference_mode():
            assert torch.equal(tower(inputs), expected)
        with torch.no_grad():
            assert torch.equal(tower(inputs), expected)


def test_a_parked_module_computes_the_same_and_holds_nothing_meanwhile(
    inputs: torch.Tensor,
) -> None:
    tower = Tower()
    with torch.no_grad():
        expected = tower(inputs)
    parked = Parked(tower, CPU)
    ask_often(tower, inputs, expected)
    weight = tower.layers[0][0].weight
    assert weight.shape == (8, 8)
    assert weight.untyped_storage().nbytes() == weight.itemsize
    assert parked.host_bytes >= sum(p.nbytes for p in tower.parameters())


@pytest.mark.parametrize("first", [0, 2, 4])
@pytest.mark.parametrize("is_endless", [True, False])
def test_streamed_layers_compute_the_same(
    first: int, is_endless: bool, inputs: torch.Tensor
) -> None:
    tower = Tower()
    with torch.no_grad():
        expected = tower(inputs)
    streamed = Streamed(list(tower.layers)[first:], CPU, is_endless=is_endless)
    ask_often(tower, inputs, expected)
    assert len(streamed._buffers) == (2 if is_endless else 0)


def test_layers_on_disk_compute_the_same_and_leave_no_file(
    inputs: torch.Tensor, tmp_path: Path
) -> None:
    tower = Tower()
    with torch.no_grad():
        expected = tower(inputs)
    spools = [None, tmp_path, tmp_path, None, tmp_path]
    kept = Streamed(list(tower.layers), CPU, is_endless=True, spools=spools)
    assert list(tmp_path.iterdir()) == []
    ask_often(tower, inputs, expected)
    assert kept.host_bytes > 0


def test_a_failed_step_does_not_confuse_the_next(inputs: torch.Tensor) -> None:
    """As when memory runs out in the middle of the tower."""
    tower = Tower()
    with torch.no_grad():
        expected = tower(inputs)
    Streamed(list(tower.layers), CPU, is_endless=False)
    stop = tower.layers[2].register_forward_pre_hook(_fail)
    with pytest.raises(RuntimeError, match="stop"), torch.inference_mode():
        tower(inputs)
    stop.remove()
    ask_often(tower, inputs, expected)


def _fail(*_: object) -> None:
    raise RuntimeError("stop")


def test_mixed_dtypes_share_one_slab() -> None:
    module = nn.Linear(3, 3)
    module.register_buffer("bits", torch.arange(5, dtype=torch.uint8))
    weight, bits = module.weight.detach().clone(), module.bits.clone()
    slab = Slab(module, CPU)
    buffer = torch.empty(slab.nbytes, dtype=torch.uint8)
    slab.copy_to(buffer)
    slab.enter(buffer)
    assert torch.equal(module.weight, weight)
    assert torch.equal(module.bits, bits)
