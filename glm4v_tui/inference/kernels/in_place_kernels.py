"""What is done in place to the results of products with many tokens."""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.epilogue import finish


@triton.jit
def turn_kernel(
    qkv_ptr: tl.tensor,
    cos_ptr: tl.tensor,
    sin_ptr: tl.tensor,
    HEADS: tl.constexpr,
    HALF: tl.constexpr,
    HEADS_BLOCK: tl.constexpr,
    HALF_BLOCK: tl.constexpr,
) -> None:
    """A program turns the queries or the keys of a token: halves of heads, in float32."""
    token = tl.program_id(0) // 2
    head = tl.arange(0, HEADS_BLOCK)[:, None]
    column = tl.arange(0, HALF_BLOCK)[None, :]
    inside = (head < HEADS) & (column < HALF)
    start = (token.to(tl.int64) * 3 + tl.program_id(0) % 2) * (HEADS * 2 * HALF)
    first_ptr = qkv_ptr + start + head * (2 * HALF) + column
    angle = token * (2 * HALF) + column
    has_angle = column < HALF
    cos = tl.load(cos_ptr + angle, mask=has_angle, other=0).to(tl.float32)
    sin = tl.load(sin_ptr + angle, mask=has_angle, other=0).to(tl.float32)
    other_cos = tl.load(cos_ptr + angle + HALF, mask=has_angle, other=0).to(tl.float32)
    other_sin = tl.load(sin_ptr + angle + HALF, mask=has_angle, other=0).to(tl.float32)
    kept = tl.load(first_ptr, mask=inside, other=0)
    first = kept.to(tl.float32)
    second = tl.load(first_ptr + HALF, mask=inside, other=0).to(tl.float32)
    turned = first * cos - second * sin
    other_turned = second * other_cos + first * other_sin
    tl.store(first_ptr, turned.to(kept.dtype), mask=inside)
    tl.store(first_ptr + HALF, other_turned.to(kept.dtype), mask=inside)


@triton.jit
def gate_kernel(
    gate_ptr: tl.tensor,
    up_ptr: tl.tensor,
    stride: tl.tensor,
    up_stride: tl.tensor,
    columns: tl.tensor,
    BLOCK: tl.constexpr,
) -> None:
    """A piece of a row: the gate's becomes silu(gate) * up."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < columns
    gate = tl.load(gate_ptr + row * stride + column, mask=inside, other=0)
    up = tl.load(up_ptr + row * up_stride + column, mask=inside, other=0)
    made = finish(gate.to(tl.float32), up.to(tl.float32), gate.dtype, True)
    tl.store(gate_ptr + row * stride + column, made, mask=inside)
