"""What is small in a decode step, and the whole step as it is captured."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from glm4v_tui.inference import kernels
from glm4v_tui.inference.kernels import plain
from glm4v_tui.inference.measuring.device_time import graph_us
from glm4v_tui.inference.measuring.kernel_weights import weight

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HEADS, _KV_HEADS, _DIM, _ROTARY = 32, 2, 128, 64
_HIDDEN = _HEADS * _DIM
_EPS = 1e-5
_ROTATED = 220e6
_AGAIN = 40


class Part(NamedTuple):
    """Launches of one kernel."""

    kernel: str
    name: str
    launch: Callable[[], object]
    launches: int
    bytes: float
    """That one launch reads and writes, or must."""
    library: Callable[[], object] | None = None
    """The same by torch."""


def parts() -> list[Part]:
    """Norms, rotary, and attention over short and long contexts."""
    x, weight_ = _random(1, _HIDDEN), _random(_HIDDEN)
    qkv = _random(1, (_HEADS + 2 * _KV_HEADS) * _DIM)
    angles, length = _random(1, _ROTARY), _length(1700)
    k, v = (_random(1, _KV_HEADS, 2048, _DIM) for _ in range(2))

    def many(act: Callable[..., object], *arguments: object) -> Callable[[], object]:
        return lambda: [act(*arguments) for _ in range(_AGAIN)]

    norm, add = (x, weight_, _EPS), (x, x, weight_, weight_, _EPS)
    turn = (qkv, angles, angles, k, v, length)
    return [
        Part("rms_norm", "norm", many(kernels.rms_norm, *norm), _AGAIN, 3 * 2 * _HIDDEN,
             many(plain.rms_norm, *norm)),
        Part("add_rms_norm", "add_norm", many(kernels.add_rms_norm, *add), _AGAIN, 6 * 2 * _HIDDEN,
             many(plain.add_rms_norm, *add)),
        Part("rotary_and_cache", "rotary", many(kernels.rotary_and_cache, *turn), _AGAIN,
             4 * qkv.numel()),
        *(_attention(keys, keys) for keys in (2048, 8192, 32_768, 131_072)),
        _attention(2048, 131_072),
    ]  # fmt: skip


def _attention(keys: int, capacity: int) -> Part:
    size = 2 * keys * _KV_HEADS * _DIM * 2
    count = max(2, -(-int(_ROTATED) // size)) if keys == capacity else 2
    caches = [tuple(_random(1, _KV_HEADS, capacity, _DIM) for _ in range(2)) for _ in range(count)]
    q, length, scale = _random(1, _HEADS, _DIM), _length(keys - 1), _DIM**-0.5
    name = f"{keys:,} keys" if keys == capacity else f"{keys:,} keys of {capacity:,}"

    def library() -> None:
        for k, v in caches:
            torch.nn.functional.scaled_dot_product_attention(
                q[:, :, None], k[:, :, :keys], v[:, :, :keys], scale=scale, enable_gqa=True
            )

    def launch() -> None:
        for k, v in caches:
            kernels.decode_attention(q, k, v, length, scale)

    return Part("decode_attention", name, launch, count, size, library)


def step_us(kind: str, products: Mapping[str, tuple[int, int]], layers: int) -> float:
    """Microseconds of one token, all kernels in their order in one graph, gaps included.

    Sandwich norms, 1,700 tokens in the cache, the head in 16 bits.
    """
    own = [
        {name: weight(kind, *shape) for name, shape in products.items() if name != "head"}
        for _ in range(layers)
    ]
    caches = [tuple(_random(1, _KV_HEADS, 2048, _DIM) for _ in range(2)) for _ in own]
    head = weight("bf16", *products["head"])
    first, norm, bias = _random(1, _HIDDEN), _random(_HIDDEN), _random(products["qkv"][0])
    angles, length = _random(1, _ROTARY), _length(1700)

    def step() -> torch.Tensor:
        h, x = first, kernels.rms_norm(first, norm, _EPS)
        for layer, (k, v) in zip(own, caches, strict=True):
            qkv = kernels.linear(x, layer["qkv"], bias)
            q = kernels.rotary_and_cache(qkv, angles, angles, k, v, length)
            seen = kernels.decode_attention(q, k, v, length, _DIM**-0.5).view(1, _HIDDEN)
            h, x = kernels.add_rms_norm(h, kernels.linear(seen, layer["o"]), norm, norm, _EPS)
            inner = kernels.linear_swiglu(x, layer["gate_up"])
            h, x = kernels.add_rms_norm(h, kernels.linear(inner, layer["down"]), norm, norm, _EPS)
        return kernels.linear(x, head)

    return graph_us(step, 1)


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, device="cuda").bfloat16()


def _length(tokens: int) -> torch.Tensor:
    return torch.tensor([tokens], dtype=torch.int32, device="cuda")
