"""Rotary, the cache's new entry, and attention over it."""

from __future__ import annotations

import pytest
import torch

from glm4v_tui.inference.kernels import attention as attention_launches
from glm4v_tui.inference.kernels import decode_attention, plain, rotary_and_cache
from tests.inference.kernels.conftest import DEVICE, DTYPE
from tests.inference.kernels.references import LARGEST, error, random


def lengths(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32, device=DEVICE)


def attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, length: torch.Tensor, scale: float
) -> torch.Tensor:
    group = q.shape[1] // k.shape[1]
    rows = []
    for row, last in enumerate(length.tolist()):
        keys = k[row, :, : last + 1].double().repeat_interleave(group, 0)
        values = v[row, :, : last + 1].double().repeat_interleave(group, 0)
        scores = torch.einsum("hd,hkd->hk", q[row].double(), keys) * scale
        rows.append(torch.einsum("hk,hkd->hd", scores.softmax(-1), values))
    return torch.stack(rows)


def check_attention(heads: int, kv_heads: int, dim: int, capacity: int, *last: int) -> None:
    length = lengths(*last)
    q = random(len(last), heads, dim)
    k, v = (random(len(last), kv_heads, capacity, dim, seed=seed) for seed in (1, 2))
    exact = attention(q, k, v, length, dim**-0.5)
    for row, end in enumerate(last):  # what lies past a row's end must not be seen
        k[row, :, end + 1 :] = v[row, :, end + 1 :] = float("nan")
    out = torch.full_like(q, float("nan"))
    decode_attention(q, k, v, length, dim**-0.5, out)
    assert error(out, exact) < LARGEST[DTYPE]


@pytest.mark.parametrize(
    ("heads", "kv_heads", "dim"), [(32, 2, 128), (5, 5, 64), (6, 2, 32), (4, 1, 40)]
)
def test_attention(heads: int, kv_heads: int, dim: int) -> None:
    check_attention(heads, kv_heads, dim, 96, 69, 0, 31)


def test_more_keys_than_parts_times_a_block() -> None:
    check_attention(2, 1, 32, 5000, 4700)


@pytest.mark.gpu
@pytest.mark.skipif(DEVICE == "cpu", reason="too large for the interpreter")
@pytest.mark.parametrize("last", [(1,), (2047,), (32_000,), (131_071,), (2000, 17, 900, 0)])
def test_attention_of_true_shapes(last: tuple[int, ...]) -> None:
    check_attention(32, 2, 128, 131_072 if len(last) == 1 else 4096, *last)


@pytest.mark.parametrize(
    ("heads", "kv_heads", "dim", "rotary"), [(32, 2, 128, 64), (5, 5, 64, 32), (3, 1, 40, 40)]
)
@pytest.mark.parametrize("few", [64, 1])
def test_rotary(
    heads: int, kv_heads: int, dim: int, rotary: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the kernel for a step's rows, and by the one for a prompt's tokens."""
    monkeypatch.setattr(attention_launches, "_FEW", few)
    qkv = random(2, (heads + 2 * kv_heads) * dim)
    angles = random(2, rotary // 2, dtype=torch.float32).repeat_interleave(2, dim=1)
    cos, sin = angles.cos().to(DTYPE), angles.sin().to(DTYPE)
    caches = [torch.zeros(2, kv_heads, 9, dim, dtype=qkv.dtype, device=DEVICE) for _ in range(4)]
    q = rotary_and_cache(qkv, cos, sin, *caches[:2], lengths(8, 3))
    assert torch.equal(q, plain.rotary_and_cache(qkv, cos, sin, *caches[2:], lengths(8, 3)))
    assert torch.equal(caches[0], caches[2])
    assert torch.equal(caches[1], caches[3])
    exact = turned(qkv.view(2, -1, dim)[:, :heads], cos, sin)
    assert error(q, exact) < LARGEST[DTYPE]


def turned(q: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Pairs of neighbours as complex numbers, times exp(i * angle)."""
    rotary = cos.shape[1]
    pairs = torch.view_as_complex(q[..., :rotary].double().unflatten(-1, (-1, 2)).contiguous())
    angle = torch.complex(cos[:, ::2].double(), sin[:, ::2].double())[:, None]
    whole = torch.view_as_real(pairs * angle).flatten(-2)
    return torch.cat((whole, q[..., rotary:].double()), -1)


@pytest.mark.parametrize("few", [64, 0])
def test_nothing_is_written_past_the_cache(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention_launches, "_FEW", few)
    qkv, angle = random(1, 3 * 32), torch.zeros(1, 32, device=DEVICE)
    k, v = (torch.zeros(1, 1, 8, 32, dtype=qkv.dtype, device=DEVICE) for _ in range(2))
    rotary_and_cache(qkv, angle, angle, k[:, :, :4], v[:, :, :4], lengths(4))
    assert not k.any()
    assert not v.any()


def test_tokens_of_a_prompt_share_one_cache() -> None:
    """More than a step has: each is written behind the one before."""
    qkv = random(70, (3 + 2 * 2) * 32)
    angles = random(70, 16, dtype=torch.float32).repeat_interleave(2, dim=1)
    caches = [torch.zeros(1, 2, 80, 32, dtype=qkv.dtype, device=DEVICE) for _ in range(4)]
    shared = [cache.expand(70, -1, -1, -1) for cache in caches]
    length = torch.arange(5, 75, dtype=torch.int32, device=DEVICE)
    q = rotary_and_cache(qkv, angles.cos(), angles.sin(), *shared[:2], length)
    expected = plain.rotary_and_cache(qkv, angles.cos(), angles.sin(), *shared[2:], length)
    assert torch.equal(q, expected)
    assert torch.equal(caches[0], caches[2])
    assert torch.equal(caches[1], caches[3])
    assert not caches[0][:, :, :5].any()
    assert caches[0][:, :, 5:75].any(-1).all()
