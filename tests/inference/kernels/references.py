"""What the kernels are compared with: float64, written as plainly as possible."""

from __future__ import annotations

import torch

from glm4v_tui.inference.kernels import Int8, Nf4, Weight
from glm4v_tui.inference.quantized.kernels import (
    NF4_VALUES,
    int8_rows,
    nf4_pack,
    require_kernels,
    scale_code,
)
from tests.inference.kernels.conftest import DEVICE, DTYPE

LARGEST = {torch.bfloat16: 6e-3, torch.float16: 8e-4}
"""Relative error (of the norms) that rounding alone may cause."""


def random(*shape: int, dtype: torch.dtype = DTYPE, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator).to(DEVICE, dtype)


def error(found: torch.Tensor, exact: torch.Tensor) -> float:
    """The norm of the difference over the norm; infinite where something is not a number."""
    far = (found.double() - exact).norm() / exact.norm()
    return float(far) if torch.isfinite(far) else float("inf")


def packed(kind: str, rows: int, columns: int, dtype: torch.dtype) -> tuple[Weight, torch.Tensor]:
    """A weight as it is kept, and what it stands for in float64."""
    weight = random(rows, columns, dtype=dtype, seed=3) / columns**0.5
    if kind == "int8":
        kept, scale = int8_rows(weight, lambda piece: piece)
        return Int8(kept, scale), kept.double() * scale.double()[:, None] / 127
    if kind == "nf4":
        require_kernels()
        nf4 = nf4_pack(weight, lambda piece: piece)
        return nf4, unpacked(nf4).view(rows, columns)
    return weight, weight.double()


def unpacked(kept: Nf4) -> torch.Tensor:
    """All weights in float64."""
    device = kept.weight.device
    halves = torch.stack((kept.weight >> 4, kept.weight & 15), 1).view(-1)
    values = torch.tensor(NF4_VALUES, dtype=torch.float64, device=device)[halves.int()]
    outer = kept.scales_scale.double().repeat_interleave(256)[: len(kept.scales)]
    scales = scale_code(device).double()[kept.scales.int()] * outer + kept.scales_mean.double()
    return values * scales.repeat_interleave(64)[: len(values)]


def norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    wide = x.double()
    wide = wide / (wide.pow(2).mean(-1, keepdim=True) + eps).sqrt()
    return wide * weight.double()


def permute(low: int, high: int, selectors: int) -> int:
    """PTX's prmt.b32: a byte for each of four selectors, or its sign where their upper bit is set.

    https://docs.nvidia.com/cuda/parallel-thread-execution/#data-movement-and-conversion-instructions-prmt
    """
    table = low.to_bytes(4, "little") + high.to_bytes(4, "little")
    result = bytearray()
    for place in range(4):
        selector = selectors >> 4 * place & 15
        byte = table[selector & 7]
        result.append((255 if byte & 128 else 0) if selector & 8 else byte)
    return int.from_bytes(result, "little")
