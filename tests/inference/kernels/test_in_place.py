"""What is done in place to the results of products: an image's rotary embedding, and the gate."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import silu
from transformers.models.glm4v.modeling_glm4v import apply_rotary_pos_emb_vision

from glm4v_tui.inference.kernels import gate_, plain, turn_
from tests.inference.kernels.conftest import DEVICE, DTYPES
from tests.inference.kernels.references import LARGEST, error, random


def angles(tokens: int, head_dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Any four of a pair's numbers: transformers' halves are alike, the kernel's need not be."""
    cos, sin = (random(tokens, head_dim, dtype=torch.float32, seed=seed) for seed in (5, 6))
    return cos, sin


def turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.double().chunk(2, -1)
    crossed = torch.cat((-second, first), -1)
    return x.double() * cos.double()[:, None] + crossed * sin.double()[:, None]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("tokens", "heads", "head_dim"), [(5, 12, 128), (3, 3, 20), (1, 1, 64)])
def test_an_images_rotary_embedding(
    tokens: int, heads: int, head_dim: int, dtype: torch.dtype
) -> None:
    qkv = random(tokens, 3, heads, head_dim, dtype=dtype)
    cos, sin = angles(tokens, head_dim)
    before = qkv.clone()
    turn_(qkv, cos, sin)
    for part in (0, 1):
        assert error(qkv[:, part], turned(before[:, part], cos, sin)) < LARGEST[dtype]
    assert torch.equal(qkv[:, 2], before[:, 2])


def test_it_is_rounded_as_transformers_rounds() -> None:
    qkv, (cos, sin) = random(4, 3, 2, 32, dtype=DTYPES[0]), angles(4, 32)
    expected = apply_rotary_pos_emb_vision(qkv[:, 0], qkv[:, 1], cos, sin)
    turn_(qkv, cos, sin)
    assert torch.equal(qkv[:, :2], torch.stack(expected, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_plain_torch_turns_some_tokens_at_a_time(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "_TURNED_AT_ONCE", 3)
    qkv, (cos, sin) = random(7, 3, 2, 8, dtype=dtype), angles(7, 8)
    expected = apply_rotary_pos_emb_vision(qkv[:, 0], qkv[:, 1], cos, sin)
    plain.turn_(qkv, cos, sin)
    assert torch.equal(qkv[:, :2], torch.stack(expected, 1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [40, 4100])
def test_gate(columns: int, dtype: torch.dtype) -> None:
    gate, up = random(5, columns, dtype=dtype), random(5, columns, dtype=dtype, seed=1)
    exact = silu(gate.double()) * up.double()
    assert gate_(gate, up) is gate
    assert error(gate, exact) < 2 * LARGEST[dtype]


def test_gate_and_up_may_stand_side_by_side() -> None:
    """As one product makes them; up stays as it is."""
    both = random(3, 96, dtype=DTYPES[0])
    before = both.double()
    gate_(*both.chunk(2, 1))
    exact = silu(before[:, :48]) * before[:, 48:]
    assert error(both[:, :48], exact) < 2 * LARGEST[both.dtype]
    assert torch.equal(both[:, 48:].double(), before[:, 48:])


def test_the_gate_is_rounded_as_the_model_rounds() -> None:
    gate, up = random(9, 256, dtype=DTYPES[0]), random(9, 256, dtype=DTYPES[0], seed=2)
    expected = silu(gate) * up
    found = gate_(gate.clone(), up)
    assert (found != expected).float().mean() < (0.02 if DEVICE == "cpu" else 0.05)
