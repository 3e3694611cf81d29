"""Attention of one new token a row: rotary, the cache's new entry, and flash-decoding.

The keys are split over programs (flash-decoding, Dao et al. 2023); all query heads that share a
key head are one tile, so that keys and values are read once. Softmax is computed online, in powers
of two; what the parts of the keys gave is combined by a second kernel.
"""

from __future__ import annotations

import triton
import triton.language as tl

from glm4v_tui.inference.kernels.early import let_next_start, wait


@triton.jit
def rotary_kernel(
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
    EARLY: tl.constexpr,
) -> None:
    """A program a head of q, k or v of a row."""
    let_next_start(EARLY)
    head = tl.program_id(0)
    row = tl.program_id(1)
    place = tl.arange(0, BLOCK)
    inside = place < DIM
    wait(EARLY)
    start = qkv_ptr + (row * (HEADS + 2 * KV_HEADS) + head) * DIM
    own = tl.load(start + place, mask=inside, other=0)
    if head < HEADS + KV_HEADS:
        turns = place < ROTARY
        partner = tl.load(start + (place ^ 1), mask=turns, other=0).to(tl.float32)
        partner = tl.where(place % 2 == 0, -partner, partner)
        cos = tl.load(cos_ptr + row * ROTARY + place, mask=turns, other=0).to(own.dtype)
        sin = tl.load(sin_ptr + row * ROTARY + place, mask=turns, other=0).to(own.dtype)
        along = (own.to(tl.float32) * cos.to(tl.float32)).to(own.dtype).to(tl.float32)
        across = (partner * sin.to(tl.float32)).to(own.dtype).to(tl.float32)
        own = tl.where(turns, (along + across).to(own.dtype), own)
    if head < HEADS:
        tl.store(q_ptr + (row * HEADS + head) * DIM + place, own, mask=inside)
    else:
        length = tl.load(length_ptr + row)
        is_value = head >= HEADS + KV_HEADS
        kv_head = head - HEADS - tl.where(is_value, KV_HEADS, 0)
        cache = row.to(tl.int64) * cache_stride_row + kv_head.to(tl.int64) * cache_stride_head
        cache += length.to(tl.int64) * DIM
        writes = inside & (length >= 0) & (length < capacity)
        if is_value:
            tl.store(v_cache_ptr + cache + place, own, mask=writes)
        else:
            tl.store(k_cache_ptr + cache + place, own, mask=writes)


@triton.jit
def attention_kernel(
    q_ptr: tl.tensor,
    k_ptr: tl.tensor,
    v_ptr: tl.tensor,
    length_ptr: tl.tensor,
    part_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    scale: tl.tensor,
    cache_stride_row: tl.tensor,
    cache_stride_head: tl.tensor,
    KV_HEADS: tl.constexpr,
    GROUP: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
    SPLITS: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    """One part of the keys of one key head of one row.

    Writes the part's result to (row, head, split, DIM), and log2 of its softmax's denominator to
    (row, head, split), both float32. Programs past the last key leave at once.
    """
    let_next_start(EARLY)
    split = tl.program_id(0)
    kv_head = tl.program_id(1)
    row = tl.program_id(2).to(tl.int64)
    wait(EARLY)
    keys = tl.load(length_ptr + row) + 1
    share = _share(keys, SPLITS, BLOCK_KEYS)
    start = split * share
    if start >= keys:
        return
    member = tl.arange(0, BLOCK_M)
    place = tl.arange(0, BLOCK_D)
    head = row * KV_HEADS * GROUP + kv_head * GROUP + member
    is_head = (member < GROUP)[:, None] & (place < DIM)[None, :]
    q = tl.load(q_ptr + head[:, None] * DIM + place[None, :], mask=is_head, other=0)
    cache = row * cache_stride_row + kv_head.to(tl.int64) * cache_stride_head
    best = tl.full((BLOCK_M,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_M,), tl.float32)
    found = tl.zeros((BLOCK_M, BLOCK_D), tl.float32)
    for first in range(start, tl.minimum(start + share, keys), BLOCK_KEYS):
        key = first + tl.arange(0, BLOCK_KEYS)
        seen = key < keys
        at = cache + key.to(tl.int64)[:, None] * DIM + place[None, :]
        is_inside = seen[:, None] & (place < DIM)[None, :]
        k = tl.load(k_ptr + at, mask=is_inside, other=0)
        v = tl.load(v_ptr + at, mask=is_inside, other=0)
        scores = tl.dot(q, tl.trans(k)) * (scale * 1.4426950408889634)
        scores = tl.where(seen[None, :], scores, float("-inf"))
        higher = tl.maximum(best, tl.max(scores, axis=1))
        shares = tl.exp2(scores - higher[:, None])
        shrink = tl.exp2(best - higher)
        total = total * shrink + tl.sum(shares, axis=1)
        found = tl.dot(shares.to(v.dtype), v, found * shrink[:, None])
        best = higher
    out = head * SPLITS + split
    tl.store(part_ptr + out[:, None] * DIM + place[None, :], found / total[:, None], mask=is_head)
    tl.store(weight_ptr + out, best + tl.log2(total), mask=member < GROUP)


@triton.jit
def combine_kernel(
    part_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    length_ptr: tl.tensor,
    out_ptr: tl.tensor,
    HEADS: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
    SPLITS: tl.constexpr,
    EARLY: tl.constexpr,
) -> None:
    """The mean of the parts, weighted by their softmax's denominators; zeros without any key."""
    let_next_start(EARLY)
    head = tl.program_id(0)
    row = tl.program_id(1).to(tl.int64)
    split = tl.arange(0, SPLITS)
    place = tl.arange(0, BLOCK_D)
    wait(EARLY)
    keys = tl.load(length_ptr + row) + 1
    used = split * _share(keys, SPLITS, BLOCK_KEYS) < keys
    at = (row * HEADS + head) * SPLITS + split
    weight = tl.load(weight_ptr + at, mask=used, other=float("-inf"))
    weight = tl.where(used, tl.exp2(weight - tl.maximum(tl.max(weight, axis=0), -1e30)), 0.0)
    parts = tl.load(
        part_ptr + at[:, None] * DIM + place[None, :],
        mask=used[:, None] & (place < DIM)[None, :],
        other=0,
    )
    found = tl.sum(parts * weight[:, None], axis=0) / tl.maximum(tl.sum(weight, axis=0), 1e-30)
    out = out_ptr + (row * HEADS + head) * DIM + place
    tl.store(out, found.to(out_ptr.dtype.element_ty), mask=place < DIM)


@triton.jit
def _share(keys: tl.tensor, SPLITS: tl.constexpr, BLOCK_KEYS: tl.constexpr) -> tl.tensor:
    """Keys of a part: whole blocks, as evenly as the number of parts allows."""
    return tl.cdiv(tl.cdiv(keys, SPLITS), BLOCK_KEYS) * BLOCK_KEYS
