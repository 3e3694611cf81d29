"""INT8 products beside exact ones: odd counts of tokens, biases, activations of any size.

The shapes are those of GLM-4V-9B's vision tower, where an image is 6,401 vectors.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from glm4v_tui.inference.quantized import kernels
from glm4v_tui.inference.quantized.layers import Int8Linear

kernels.require_kernels()

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
        ],
    ),
]
COUNTS = [1, 2, 257, 1024, 6401]
WIDE = 30000.0
"""So large that a sum is beyond float16 now and then, and within bfloat16 always."""


def layer(device: str, columns: int, rows: int, *, bias: bool) -> Int8Linear:
    torch.manual_seed(11)
    one = nn.Linear(columns, rows, bias=bias).to(torch.bfloat16).requires_grad_(False)
    one.weight.normal_(0, columns**-0.5)
    made = Int8Linear(one.to(device))
    made.take(made.pack(one.weight.detach()))
    return made


def exact(one: Int8Linear, inputs: torch.Tensor) -> torch.Tensor:
    """With the weights as they are kept, so that only products and inputs are judged."""
    weight = one.weight.double() * (one.scale.double() / 127)[:, None]
    result = inputs.double() @ weight.T
    return result if one.bias is None else result + one.bias.double()


def largest_error(result: torch.Tensor, expected: torch.Tensor) -> float:
    """Of the worst token: the norm of the difference over that of what was expected."""
    distance = (result.double() - expected).norm(dim=-1) / expected.norm(dim=-1)
    return float(distance.max())


@pytest.mark.parametrize("size", [0.01, 1.0, 300.0])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("device", DEVICES)
def test_every_token_is_near_the_exact_product(
    device: str, count: int, bias: bool, size: float
) -> None:
    columns, rows = (1792, 5376) if device == "cuda" else (256, 96)
    one = layer(device, columns, rows, bias=bias)
    inputs = (size * torch.randn(count, columns, device=device)).to(torch.bfloat16)
    assert largest_error(one(inputs), exact(one, inputs)) < 0.02


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("device", DEVICES)
def test_tokens_of_very_different_sizes_do_not_disturb_each_other(device: str, count: int) -> None:
    one = layer(device, 1792, 512, bias=True)
    sizes = torch.logspace(-2, 3, count, device=device)[:, None]
    inputs = (sizes * torch.randn(count, 1792, device=device)).to(torch.bfloat16)
    assert largest_error(one(inputs), exact(one, inputs)) < 0.02


@pytest.mark.parametrize("count", [1, 257])
@pytest.mark.parametrize("device", DEVICES)
def test_sums_beyond_float16_stay_finite(device: str, count: int) -> None:
    one = layer(device, 1792, 512, bias=True)
    inputs = (WIDE * torch.randn(count, 1792, device=device)).clamp(-60000, 60000)
    result = one(inputs.to(torch.bfloat16))
    assert bool(result.isfinite().all())
    assert largest_error(result, exact(one, inputs.to(torch.bfloat16))) < 0.02
