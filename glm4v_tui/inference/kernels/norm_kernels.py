"""RMSNorm (Zhang and Sennrich 2019), alone and after a residual, and LayerNorm (Ba and others 2016)
before one; a program a token."""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.early import let_next_start, wait


@triton.jit
def rms_norm_kernel(
    x_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    out_ptr: tl.tensor,
    eps: tl.tensor,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    let_next_start(EARLY)
    column = tl.arange(0, BLOCK)
    inside = column < COLUMNS
    weight = tl.load(weight_ptr + column, mask=inside, other=0)
    place = tl.program_id(0) * COLUMNS + column
    wait(EARLY)
    x = tl.load(x_ptr + place, mask=inside, other=0)
    tl.store(out_ptr + place, _normed(x, weight, eps, COLUMNS), mask=inside)


@triton.jit
def add_rms_norm_kernel(
    residual_ptr: tl.tensor,
    y_ptr: tl.tensor,
    post_weight_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    added_ptr: tl.tensor,
    out_ptr: tl.tensor,
    eps: tl.tensor,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
    HAS_POST: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    let_next_start(EARLY)
    column = tl.arange(0, BLOCK)
    inside = column < COLUMNS
    weight = tl.load(weight_ptr + column, mask=inside, other=0)
    post_weight = weight
    if HAS_POST:
        post_weight = tl.load(post_weight_ptr + column, mask=inside, other=0)
    place = tl.program_id(0) * COLUMNS + column
    wait(EARLY)
    residual = tl.load(residual_ptr + place, mask=inside, other=0)
    y = tl.load(y_ptr + place, mask=inside, other=0)
    if HAS_POST:
        y = _normed(y, post_weight, eps, COLUMNS)
    added = (residual.to(tl.float32) + y.to(tl.float32)).to(residual.dtype)
    tl.store(added_ptr + place, added, mask=inside)
    tl.store(out_ptr + place, _normed(added, weight, eps, COLUMNS), mask=inside)


@triton.jit
def layer_norm_add_kernel(
    residual_ptr: tl.tensor,
    y_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    bias_ptr: tl.tensor,
    eps: tl.tensor,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    column = tl.arange(0, BLOCK)
    inside = column < COLUMNS
    place = tl.program_id(0).to(tl.int64) * COLUMNS + column
    weight = tl.load(weight_ptr + column, mask=inside, other=0).to(tl.float32)
    bias = tl.load(bias_ptr + column, mask=inside, other=0).to(tl.float32)
    y = tl.load(y_ptr + place, mask=inside, other=0)
    residual = tl.load(residual_ptr + place, mask=inside, other=0)
    wide = y.to(tl.float32)
    wide = tl.where(inside, wide - tl.sum(wide, axis=0) / COLUMNS, 0.0)
    wide = wide * tl.rsqrt(tl.sum(wide * wide, axis=0) / COLUMNS + eps)
    normed = (wide * weight + bias).to(y.dtype)
    added = (residual.to(tl.float32) + normed.to(tl.float32)).to(y.dtype)
    tl.store(y_ptr + place, added, mask=inside)


@triton.jit
def _normed(x: tl.tensor, weight: tl.tensor, eps: tl.tensor, COLUMNS: tl.constexpr) -> tl.tensor:
    """Float32 inside; rounded before the weight multiplies and after, as transformers does."""
    wide = x.to(tl.float32)
    wide = wide * tl.rsqrt(tl.sum(wide * wide, axis=0) / COLUMNS + eps)
    return (wide.to(x.dtype).to(tl.float32) * weight.to(tl.float32)).to(x.dtype)
