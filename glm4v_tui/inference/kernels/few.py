"""Launches of products of a few tokens with NF4 weights."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import torch
import triton

from glm4v_tui.inference.kernels.availability import starts_early
from glm4v_tui.inference.kernels.early import early
from glm4v_tui.inference.kernels.few_kernels import nf4_few_kernel, spread_kernel
from glm4v_tui.inference.kernels.formats import means_of
from glm4v_tui.inference.quantized.kernels import scale_code

if TYPE_CHECKING:
    from glm4v_tui.inference.quantized.kernels import Nf4

MOST = 16
"""Tokens."""
_PAIRS = 512
"""That a program spreads out."""
_MANY = 1024
"""Programs that fill a GPU with fewer warps each."""


class Few(NamedTuple):
    """How a product is launched; measured on an H100."""

    parts: int
    """Warps of a program, which share the columns."""
    unroll: int
    """Blocks of columns that a warp reads at a time."""


def multiply_few(
    x: torch.Tensor,
    weight: Nf4,
    bias: torch.Tensor | None,
    out: torch.Tensor,
    *,
    swiglu: bool = False,
) -> None:
    """(tokens, columns) by (rows, columns) into (tokens, rows); half the rows with SwiGLU."""
    tokens, columns = x.shape
    rows = out.shape[1]
    room = 8 if tokens <= 8 else MOST
    programs = triton.cdiv(rows, 8 if swiglu else 16)
    launch = Few(4, 2) if programs >= _MANY else Few(8, 4 if room == 8 else 2)
    planes, sums = spread(x, room)
    is_early = starts_early(x)
    nf4_few_kernel[(programs,)](
        *(planes, sums, weight.weight.view(torch.int32), weight.scales, weight.scales_scale),
        *(weight.scales_mean, scale_code(x.device), out if bias is None else bias, out),
        *(tokens, rows),
        COLUMNS=columns,
        TOKENS=room,
        HAS_BIAS=bias is not None,
        SWIGLU=swiglu,
        EARLY=is_early,
        MEANS=means_of(weight),
        PARTS=launch.parts,
        UNROLL=launch.unroll,
        num_warps=launch.parts,
        **early(is_early),
    )


def spread(x: torch.Tensor, room: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What the kernel is given of (tokens, columns), filled up with zeros to ``room`` tokens.

    Returns:
        int32 (4, room, columns / 8), pairs of inputs, and float32 (columns / 64, room), the sums of
        those that meet a block.
    """
    tokens, columns = x.shape
    planes = torch.empty(4, room, columns // 8, dtype=torch.int32, device=x.device)
    sums = torch.empty(columns // 64, room, dtype=torch.float32, device=x.device)
    is_early = starts_early(x)
    spread_kernel[(triton.cdiv(columns // 2, _PAIRS), room)](
        *(x.view(torch.int32), planes, sums, tokens),
        COLUMNS=columns, TOKENS=room, BLOCK=_PAIRS, EARLY=is_early, num_warps=4,
        **early(is_early),
    )  # fmt: skip
    return planes, sums


def takes_few(x: torch.Tensor) -> bool:
    """Whether the kernel takes such inputs: bfloat16, where it was seen to give what it should.

    Which lane holds what is up to Triton; the instruction counts on what all versions so far do.
    The first question is answered by a trial, which may not come while a CUDA graph is captured.
    """
    return x.is_cuda and x.dtype == torch.bfloat16 and _works(x.device)


@cache
def _works(device: torch.device) -> bool:
    if torch.cuda.get_device_capability(device) < (8, 0):
        return False
    try:
        from glm4v_tui.inference.kernels.ahead import after_compiling
        from glm4v_tui.inference.kernels.trial import multiplies

        after_compiling(lambda: multiplies(device), device)
        return multiplies(device)
    except Exception:  # noqa: BLE001 - whatever is missing or too old, there is another way
        return False
