"""Rotary and the cache's new entries for the many tokens of a prompt: a program a token."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def prompt_rotary_kernel(
    qkv_ptr: tl.tensor,
    cos_ptr: tl.tensor,
    sin_ptr: tl.tensor,
    k_cache_ptr: tl.tensor,
    v_cache_ptr: tl.tensor,
    length_ptr: tl.tensor,
    q_ptr: tl.tensor,
    cache_stride_row: tl.tensor,
    cache_stride_head: tl.tensor,
    capacity: tl.tensor,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    DIM: tl.constexpr,
    ROTARY: tl.constexpr,
    BLOCK: tl.constexpr,
    HEADS_BLOCK: tl.constexpr,
    KV_BLOCK: tl.constexpr,
) -> None:
    """The same as ``rotary_kernel``, which has a program of one warp for each head."""
    row = tl.program_id(0).to(tl.int64)
    place = tl.arange(0, BLOCK)[None, :]
    head = tl.arange(0, HEADS_BLOCK)[:, None]
    kv_head = tl.arange(0, KV_BLOCK)[:, None]
    turns = place < ROTARY
    cos = tl.load(cos_ptr + row * ROTARY + place, mask=turns, other=0)
    sin = tl.load(sin_ptr + row * ROTARY + place, mask=turns, other=0)
    start = qkv_ptr + row * (HEADS + 2 * KV_HEADS) * DIM

    own_ptr = start + head * DIM + place
    inside = (head < HEADS) & (place < DIM)
    queries = _turned(own_ptr, place, inside, turns, cos, sin)
    tl.store(q_ptr + row * HEADS * DIM + head * DIM + place, queries, mask=inside)

    length = tl.load(length_ptr + row)
    cache = row * cache_stride_row + kv_head.to(tl.int64) * cache_stride_head
    cache += length.to(tl.int64) * DIM
    own_ptr = start + (HEADS + kv_head) * DIM + place
    inside = (kv_head < KV_HEADS) & (place < DIM)
    writes = inside & (length >= 0) & (length < capacity)
    keys = _turned(own_ptr, place, inside, turns, cos, sin)
    tl.store(k_cache_ptr + cache + place, keys, mask=writes)
    values = tl.load(own_ptr + KV_HEADS * DIM, mask=inside, other=0)
    tl.store(v_cache_ptr + cache + place, values, mask=writes)


@triton.jit
def _turned(
    own_ptr: tl.tensor,
    place: tl.tensor,
    inside: tl.tensor,
    turns: tl.tensor,
    cos: tl.tensor,
    sin: tl.tensor,
) -> tl.tensor:
    """Heads whose neighboring pairs are turned; products are rounded as the model rounds them."""
    own = tl.load(own_ptr, mask=inside, other=0)
    partner = tl.load(own_ptr - place + (place ^ 1), mask=inside & turns, other=0).to(tl.float32)
    partner = tl.where(place % 2 == 0, -partner, partner)
    rounded_cos = cos.to(own.dtype).to(tl.float32)
    rounded_sin = sin.to(own.dtype).to(tl.float32)
    along = (own.to(tl.float32) * rounded_cos).to(own.dtype).to(tl.float32)
    across = (partner * rounded_sin).to(own.dtype).to(tl.float32)
    return tl.where(turns, (along + across).to(own.dtype), own)
