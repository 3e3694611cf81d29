"""Launches of the products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from glm4v_tui.inference.kernels.availability import starts_early
from glm4v_tui.inference.kernels.early import early
from glm4v_tui.inference.kernels.few import multiply_few, takes_few
from glm4v_tui.inference.kernels.formats import Int8, Weight, means_of
from glm4v_tui.inference.kernels.launches import Launch, power_of_two, tile_launch, vector_launch
from glm4v_tui.inference.kernels.nf4_vector_kernels import nf4_stream_kernel, nf4_vector_kernel
from glm4v_tui.inference.kernels.nf4_words import ALPHA, nf4_values
from glm4v_tui.inference.kernels.tile_kernels import nf4_tile_kernel, tile_kernel
from glm4v_tui.inference.kernels.vector_kernels import vector_kernel
from glm4v_tui.inference.quantized.kernels import Nf4, scale_code

if TYPE_CHECKING:
    from glm4v_tui.inference.kernels.launches import Kind

_TOKENS = 16
"""Of a tile, on the tensor cores."""


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
    tokens, columns = x.shape
    if tokens > 1 and isinstance(weight, Nf4) and launch is None and takes_few(x):
        multiply_few(x, weight, bias, out, swiglu=swiglu)
        return
    choose = vector_launch if tokens == 1 else tile_launch
    launch = launch or choose((_kind(weight), out.shape[1] * (1 + swiglu), columns, swiglu))
    options = _options(x, launch) | {"HAS_BIAS": bias is not None, "SWIGLU": swiglu}
    act = _multiply_nf4 if isinstance(weight, Nf4) else _multiply_rows
    act(x, weight, x if bias is None else bias, out, launch, options)  # type: ignore[arg-type]


def _multiply_rows(
    x: torch.Tensor,
    weight: torch.Tensor | Int8,
    bias: torch.Tensor,
    out: torch.Tensor,
    launch: Launch,
    options: dict[str, Any],
) -> None:
    kernel = vector_kernel if len(x) == 1 else tile_kernel
    has_scale = isinstance(weight, Int8)
    matrix, scale = weight if isinstance(weight, Int8) else (weight, x)
    kernel[(_blocks(out, launch),)](
        *(x, matrix, scale, bias, out, *_counts(out)), **options, HAS_SCALE=has_scale
    )


def _multiply_nf4(
    x: torch.Tensor,
    weight: Nf4,
    bias: torch.Tensor,
    out: torch.Tensor,
    launch: Launch,
    options: dict[str, Any],
) -> None:
    shifted = launch.shifted if x.is_cuda else -1  # Triton's interpreter knows no assembly
    values = nf4_values(x.device, ALPHA.value if shifted > 0 else 1.0)
    programs = _blocks(out, launch)
    kernel = nf4_tile_kernel
    if len(x) == 1:
        kernel = nf4_stream_kernel if launch.programs else nf4_vector_kernel
        programs = min(programs, launch.programs or programs)
        x = x.view(torch.int32)
    kernel[(programs,)](
        *(x, weight.weight.view(torch.int32), weight.scales, weight.scales_scale),
        *(weight.scales_mean, scale_code(x.device), values, bias, out, *_counts(out)),
        **options,
        MEANS=means_of(weight),
        SHIFTED=shifted,
    )


def _options(x: torch.Tensor, launch: Launch) -> dict[str, Any]:
    """The constants that all kernels have, and how they are compiled."""
    is_early = starts_early(x)
    tile = {} if len(x) == 1 else {"BLOCK_M": max(16, power_of_two(len(x)))}
    return {
        **tile,
        "BLOCK_N": launch.block_n,
        "BLOCK_K": launch.block_k,
        "COLUMNS": x.shape[1],
        "EARLY": is_early,
        "num_warps": launch.warps,
        "num_stages": launch.stages,
        **early(is_early),
    }


def _blocks(out: torch.Tensor, launch: Launch) -> int:
    return -(-out.shape[1] // launch.block_n)


def _counts(out: torch.Tensor) -> tuple[int, ...]:
    """Rows, and before them the tokens, if there are several."""
    return (out.shape[1],) if len(out) == 1 else (len(out), out.shape[1])


def fits(x: torch.Tensor, weight: Weight) -> bool:
    """Whether the kernels take this product."""
    if len(x) > _TOKENS:
        return False
    return not isinstance(weight, Nf4) or x.shape[1] % 64 == 0


def _kind(weight: Weight) -> Kind:
    if isinstance(weight, Nf4):
        return "nf4"
    return "int8" if isinstance(weight, Int8) else "16 bits"
