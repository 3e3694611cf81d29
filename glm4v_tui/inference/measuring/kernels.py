"""The kernels of a decode step: microseconds, share of the memory's bandwidth, and errors.

Weights rotate over more than a GPU's cache holds. Beside each product is what takes its place
without the kernel: cuBLAS, or bitsandbytes.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from glm4v_tui.errors import UsageError
from glm4v_tui.inference import kernels
from glm4v_tui.inference.kernels import Int8, Nf4, Weight
from glm4v_tui.inference.measuring.device_time import copy_bandwidth, graph_us
from glm4v_tui.inference.measuring.kernel_step import Part, parts, step_us
from glm4v_tui.inference.measuring.kernel_weights import FORMATS, bytes_of, exact, weight
from glm4v_tui.inference.placement import require_cuda
from glm4v_tui.inference.quantized.kernels import int8_product, nf4_product, require_kernels

if TYPE_CHECKING:
    from collections.abc import Callable

    Tell = Callable[[dict[str, Any]], None]

LAYERS = 40
HIDDEN = 4096
PRODUCTS = {
    "qkv": (4608, HIDDEN), "o": (HIDDEN, HIDDEN), "gate_up": (27392, HIDDEN),
    "down": (HIDDEN, 13696), "head": (151552, HIDDEN),
}  # fmt: skip
"""Rows and columns of GLM-4.1V-9B's language model; gate_up with its SwiGLU."""
_ROTATED = 220e6
"""Bytes of weights that are gone through before the first come again."""
_LAUNCHES = 24


def measure_kernels(tell: Tell, seconds: float) -> None:
    """Tell a row as soon as it is measured; none is begun after so many seconds.

    Raises:
        UsageError: there is no GPU that the kernels run on.
    """
    require_cuda("The kernels need a GPU", "or run this on a machine with a GPU.")
    if not kernels.has_triton(torch.device("cuda:0")):
        raise UsageError(
            "The kernels need Triton",
            "It does not compile for this GPU.",
            "Install Triton and a C compiler, or run this on a machine with a newer GPU.",
        )
    require_kernels()
    end = time.monotonic() + seconds
    copied = copy_bandwidth()
    tell({"gpu": torch.cuda.get_device_name(), "copy_gb_s": round(copied)})
    taken: dict[tuple[str, str], float] = {}
    for kind in FORMATS:
        for name in PRODUCTS:
            for tokens in (1, 16):
                if time.monotonic() < end:
                    row = _product(kind, name, tokens, copied)
                    taken[kind, name] = row["us"] if tokens == 1 else taken[kind, name]
                    tell(row)
    small = {part.name: _part(part, copied, tell) for part in parts() if time.monotonic() < end}
    for kind in FORMATS:
        if time.monotonic() < end:
            tell(_summary(kind, taken, small))


def _product(kind: str, name: str, tokens: int, copied: float) -> dict[str, Any]:
    rows, columns = PRODUCTS[name]
    size = bytes_of(kind, rows, columns)
    weights = [weight(kind, rows, columns) for _ in range(max(2, math.ceil(_ROTATED / size)))]
    x = torch.randn(tokens, columns, device="cuda").bfloat16()
    is_fused = name == "gate_up"
    out = x.new_full((tokens, rows // 2 if is_fused else rows), float("nan"))
    act = kernels.linear_swiglu if is_fused else kernels.linear
    act(x, weights[0], out=out)
    wrong = _error(out, _reference(x, exact(weights[0], rows, columns), is_fused))
    repeats = max(1, math.ceil(_LAUNCHES / len(weights)))
    order = weights * repeats

    def each(act: Callable[[torch.Tensor, Weight], object]) -> float:
        return graph_us(lambda: [act(x, one) for one in order], len(order))

    took = each(lambda x, one: act(x, one, out=out))
    return {
        "kernel": "linear_swiglu" if is_fused else "linear",
        "shape": name,
        "format": kind,
        "tokens": tokens,
        **_speed(took, size, copied),
        "error": float(f"{wrong:.1e}"),
        "library": "cuBLAS" if kind == "bf16" else "bitsandbytes",
        "library_us": _library_us(each, is_fused, rows, columns),
    }


def _library_us(
    each: Callable[..., float], is_fused: bool, rows: int, columns: int
) -> float | None:
    def act(x: torch.Tensor, one: Weight) -> torch.Tensor:
        if isinstance(one, Nf4):
            found = nf4_product(x, one, (rows, columns), None)
        elif isinstance(one, Int8):
            found = int8_product(x, one.weight, one.scale, None, 0.0)
        else:
            found = functional.linear(x, one)
        if is_fused:
            gate, up = found.chunk(2, -1)
            found = functional.silu(gate) * up
        return found

    try:
        return round(each(act), 2)
    except RuntimeError:  # some of its kernels cannot be captured
        torch.cuda.synchronize()
        return None


def _part(part: Part, copied: float, tell: Tell) -> float:
    took = graph_us(part.launch, part.launches)
    row = {"kernel": part.kernel, "shape": part.name, **_speed(took, part.bytes, copied)}
    if part.library is not None:
        row |= {"library": "torch", "library_us": round(graph_us(part.library, part.launches), 2)}
    tell(row)
    return took


def _summary(
    kind: str, taken: dict[tuple[str, str], float], small: dict[str, float]
) -> dict[str, Any]:
    """One token of GLM-4.1V-9B with 2,048 tokens in the cache."""
    head = taken.get(("bf16", "head"), math.nan)
    products = sum(taken.get((kind, name), math.nan) for name in PRODUCTS if name != "head")
    others = small["rotary"] + small["2,048 keys"] + 2 * small["add_norm"]
    return {
        "summary": kind,
        "head": "bf16",
        "products_ms": round((LAYERS * products + head) / 1e3, 3),
        "others_ms": round((LAYERS * others + small["norm"]) / 1e3, 3),
        "sum_ms": round((LAYERS * (products + others) + head + small["norm"]) / 1e3, 3),
        "step_ms": round(step_us(kind, PRODUCTS, LAYERS) / 1e3, 3),
    }


def _speed(took: float, size: float, copied: float) -> dict[str, float]:
    rate = size / took / 1e3
    return {"us": round(took, 2), "gb_s": round(rate), "share": round(rate / copied, 3)}


def _reference(x: torch.Tensor, matrix: torch.Tensor, is_fused: bool) -> torch.Tensor:
    product = x.double() @ matrix.T
    if not is_fused:
        return product
    gate, up = product.chunk(2, -1)
    return functional.silu(gate) * up


def _error(found: torch.Tensor, reference: torch.Tensor) -> float:
    """The norm of the difference over that of the reference."""
    return float((found.double() - reference).norm() / reference.norm())
