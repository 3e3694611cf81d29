"""What the tower and its adapter do in place, beside the same with gradients, which is not."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch

from glm4v_tui.inference import kernels
from glm4v_tui.inference.glm4v_9b.configuration import Eva2ClipConfig
from glm4v_tui.inference.glm4v_9b.vision import Eva2ClipLayer, GatedAdapter


def layer() -> Any:
    config = Eva2ClipConfig(hidden_size=64, num_heads=2, intermediate_size=160)
    config._attn_implementation = "sdpa"
    return Eva2ClipLayer(config)


def adapter() -> Any:
    return GatedAdapter(64, 96, 160)


@pytest.mark.parametrize("by", ["kernels", "plain"])
@pytest.mark.parametrize("make", [layer, adapter])
def test_it_is_the_same(make: Any, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(5)
    exact = make().double()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    part, hidden = deepcopy(exact).to(device).half(), torch.randn(1, 19, 64).half().to(device)
    kept = hidden.clone()
    expected = exact(hidden.double().cpu()).detach()
    if by == "kernels":
        pytest.importorskip("triton")
        monkeypatch.setattr(kernels, "is_usable", lambda _: True)
    with torch.inference_mode():
        found = part(hidden)
    assert torch.equal(hidden, kept)
    assert float((found.double().cpu() - expected).norm() / expected.norm()) < 2e-3
