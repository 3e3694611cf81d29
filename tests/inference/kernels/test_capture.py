"""A step is captured once in a CUDA graph, and follows what is written into its tensors."""

from __future__ import annotations

import pytest
import torch

from glm4v_tui.inference.kernels import availability, decode_attention, has_triton, linear
from tests.inference.kernels.references import packed, random

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


def test_a_cpu_goes_the_plain_way() -> None:
    assert not has_triton(torch.device("cpu"))
    assert not availability.is_usable(torch.zeros(1, 8, dtype=torch.bfloat16))


@pytest.mark.gpu
@needs_gpu
def test_a_captured_step_follows_length_and_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glm4v_tui.inference.kernels.is_usable", lambda _: True)
    weight, _ = packed("nf4", 4096, 4096, torch.bfloat16)
    k, v = (random(1, 2, 2048, 128, dtype=torch.bfloat16, seed=seed) for seed in (1, 2))
    q, length = random(1, 32, 128, dtype=torch.bfloat16), torch.zeros(1).int().cuda()

    def step() -> torch.Tensor:
        return linear(decode_attention(q, k, v, length, 0.1).view(1, 4096), weight)

    step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = step()
    for last in (5, 1900, 64):
        length.fill_(last)
        q.normal_()
        graph.replay()
        assert torch.equal(found, step())
