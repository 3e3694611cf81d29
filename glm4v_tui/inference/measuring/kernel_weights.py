"""Random weights in every format, and what they stand for in float64."""

from __future__ import annotations

import torch

from glm4v_tui.inference.kernels import Int8, Nf4, Weight
from glm4v_tui.inference.quantized.kernels import NF4_VALUES, scale_code

FORMATS = ("bf16", "int8", "nf4")
_BYTES = {"bf16": 2.0, "int8": 1.0, "nf4": 0.5 + 1 / 64}


def bytes_of(kind: str, rows: int, columns: int) -> float:
    return rows * columns * _BYTES[kind]


def weight(kind: str, rows: int, columns: int) -> Weight:
    """A matrix whose product with unit normal inputs has a deviation of about one."""
    size = columns**-0.5
    if kind == "bf16":
        return torch.empty(rows, columns, dtype=torch.bfloat16, device="cuda").normal_(0, size)
    if kind == "int8":
        kept = torch.randint(-127, 128, (rows, columns), dtype=torch.int8, device="cuda")
        return Int8(kept, torch.rand(rows, device="cuda") * size + size)
    blocks = rows * columns // 64
    return Nf4(
        torch.randint(0, 256, (blocks * 32,), dtype=torch.uint8, device="cuda"),
        torch.randint(0, 256, (blocks,), dtype=torch.uint8, device="cuda"),
        torch.rand(-(-blocks // 256), device="cuda") * size,
        torch.tensor(2 * size, device="cuda"),
    )


def exact(kept: Weight, rows: int, columns: int) -> torch.Tensor:
    """(rows, columns) in float64."""
    if isinstance(kept, torch.Tensor):
        return kept.double()
    if isinstance(kept, Int8):
        return kept.weight.double() * kept.scale.double()[:, None] / 127
    halves = torch.stack((kept.weight >> 4, kept.weight & 15), 1).view(-1, 64)
    outer = kept.scales_scale.double().repeat_interleave(256)[: len(kept.scales)]
    scales = scale_code(kept.weight.device).double()[kept.scales.int()] * outer
    scales += kept.scales_mean.double()
    values = torch.tensor(NF4_VALUES, dtype=torch.float64, device="cuda")
    return (values[halves.int()] * scales[:, None]).view(rows, columns)
