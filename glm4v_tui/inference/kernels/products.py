"""Launches of the products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import triton

from glm4v_tui.inference.kernels.availability import starts_early
from glm4v_tui.inference.kernels.early import early
from glm4v_tui.inference.kernels.formats import Int8, Weight
from glm4v_tui.inference.kernels.launches import Launch, tile_launch, vector_launch
from glm4v_tui.inference.kernels.nf4_vector_kernels import nf4_stream_kernel, nf4_vector_kernel
from glm4v_tui.inference.kernels.nf4_words import ALPHA, nf4_values
from glm4v_tui.inference.kernels.tile_kernels import nf4_tile_kernel, tile_kernel
from glm4v_tui.inference.kernels.vector_kernels import vector_kernel
from glm4v_tui.inference.quantized.kernels import Nf4, scale_code

if TYPE_CHECKING:
    from glm4v_tui.inference.kernels.launches import Kind

_TOKENS = 16
"""Of a tile, on the tensor cores."""
SHIFTED = 4
"""Of eight NF4 weights those that are unpacked by permutes; the others are by shuffles."""


def multiply(
    x: torch.Tensor,
    weight: Weight,
    bias: torch.Tensor | None,
    out: torch.Tensor,
    *,
    swiglu: bool = False,
    launch: Launch | None = None,
) -> None:
    """(tokens, columns) by (rows, columns) into (tokens, rows); half the rows with SwiGLU."""
    one = len(x) == 1
    kind = _kind(weight)
    rows = out.shape[1]
    choose = vector_launch if one else tile_launch
    launch = launch or choose((kind, rows * (2 if swiglu else 1), x.shape[1], swiglu))
    is_early = starts_early(x)
    counts = (rows,) if one else (len(x), rows)
    grid = (triton.cdiv(rows, launch.block_n),)
    blocks = {"BLOCK_N": launch.block_n, "BLOCK_K": launch.block_k}
    if not one:
        blocks["BLOCK_M"] = max(16, triton.next_power_of_2(len(x)))
    options: dict[str, Any] = {
        **blocks,
        "COLUMNS": x.shape[1],
        "HAS_BIAS": bias is not None,
        "SWIGLU": swiglu,
        "EARLY": is_early,
        "num_warps": launch.warps,
        "num_stages": launch.stages,
        **early(is_early),
    }
    given = x if bias is None else bias
    if isinstance(weight, Nf4):
        scales = (weight.scales, weight.scales_scale, weight.scales_mean, scale_code(x.device))
        shifted = SHIFTED if x.is_cuda else -1  # Triton's interpreter knows no assembly
        values = nf4_values(x.device, ALPHA.value if shifted > 0 else 1.0)
        if one:
            x, words = x.view(torch.int32), weight.weight.view(torch.int32)
            kernel = nf4_stream_kernel if launch.programs else nf4_vector_kernel
            kernel[(min(grid[0], launch.programs or grid[0]),)](
                *(x, words, *scales, values, given, out, *counts),
                **options,
                SHIFTED=shifted,
            )
        else:
            nf4_tile_kernel[grid](
                *(x, weight.weight.view(torch.int32), *scales, values, given, out, *counts),
                **options,
                SHIFTED=shifted,
            )
        return
    matrix, scale = weight if isinstance(weight, Int8) else (weight, x)
    kernel = vector_kernel if one else tile_kernel
    kernel[grid](
        *(x, matrix, scale, given, out, *counts), **options, HAS_SCALE=isinstance(weight, Int8)
    )


def fits(x: torch.Tensor, weight: Weight) -> bool:
    """Whether the kernels take this product."""
    if len(x) > _TOKENS:
        return False
    return not isinstance(weight, Nf4) or x.shape[1] % 64 == 0


def _kind(weight: Weight) -> Kind:
    if isinstance(weight, Nf4):
        return "nf4"
    return "int8" if isinstance(weight, Int8) else "16 bits"
