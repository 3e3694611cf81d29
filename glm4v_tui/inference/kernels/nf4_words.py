"""NF4 out of packed words: eight weights of 4 bits in 32, the upper half of a byte first."""

from __future__ import annotations

from functools import cache

import torch
import triton
import triton.language as tl

from glm4v_tui.inference.quantized.kernels import NF4_VALUES

# Lane n of each half of a warp holds value n, and a shuffle by the weight's bits fetches it: of the
# index a shuffle of width 16 (0x101f) reads the lower four bits only, so that nothing is masked.
_UNPACK: tl.constexpr = tl.constexpr(
    """
    {
    .reg .b32 lane, bits;
    .reg .b64 at;
    .reg .f32 own;
    mov.u32 lane, %laneid;
    and.b32 lane, lane, 15;
    mul.wide.u32 at, lane, 4;
    add.s64 at, at, $9;
    ld.global.nc.f32 own, [at];
    shr.u32 bits, $8, 4;
    shfl.sync.idx.b32 $0, own, bits, 0x101f, 0xffffffff;
    shfl.sync.idx.b32 $1, own, $8, 0x101f, 0xffffffff;
    shr.u32 bits, $8, 12;
    shfl.sync.idx.b32 $2, own, bits, 0x101f, 0xffffffff;
    shr.u32 bits, $8, 8;
    shfl.sync.idx.b32 $3, own, bits, 0x101f, 0xffffffff;
    shr.u32 bits, $8, 20;
    shfl.sync.idx.b32 $4, own, bits, 0x101f, 0xffffffff;
    shr.u32 bits, $8, 16;
    shfl.sync.idx.b32 $5, own, bits, 0x101f, 0xffffffff;
    shr.u32 bits, $8, 28;
    shfl.sync.idx.b32 $6, own, bits, 0x101f, 0xffffffff;
    shr.u32 bits, $8, 24;
    shfl.sync.idx.b32 $7, own, bits, 0x101f, 0xffffffff;
    }
    """
)
_OWN: tl.constexpr = tl.constexpr(
    """
    {
    .reg .b32 lane;
    .reg .b64 at;
    mov.u32 lane, %laneid;
    and.b32 lane, lane, 15;
    mul.wide.u32 at, lane, 4;
    add.s64 at, at, $1;
    ld.global.nc.f32 $0, [at];
    }
    """
)
_UNPACK_BY: tl.constexpr = tl.constexpr(
    """
    {
    .reg .b32 bits;
    shr.u32 bits, $8, 4;
    shfl.sync.idx.b32 $0, $9, bits, 0x101f, 0xffffffff;
    shfl.sync.idx.b32 $1, $9, $8, 0x101f, 0xffffffff;
    shr.u32 bits, $8, 12;
    shfl.sync.idx.b32 $2, $9, bits, 0x101f, 0xffffffff;
    shr.u32 bits, $8, 8;
    shfl.sync.idx.b32 $3, $9, bits, 0x101f, 0xffffffff;
    shr.u32 bits, $8, 20;
    shfl.sync.idx.b32 $4, $9, bits, 0x101f, 0xffffffff;
    shr.u32 bits, $8, 16;
    shfl.sync.idx.b32 $5, $9, bits, 0x101f, 0xffffffff;
    shr.u32 bits, $8, 28;
    shfl.sync.idx.b32 $6, $9, bits, 0x101f, 0xffffffff;
    shr.u32 bits, $8, 24;
    shfl.sync.idx.b32 $7, $9, bits, 0x101f, 0xffffffff;
    }
    """
)


@triton.jit
def unpack_word(words: tl.tensor, values_ptr: tl.tensor, FAST: tl.constexpr) -> tl.tensor:
    """int32 words of any shape to the eight weights in each, float32, in order."""
    if FAST == 1:
        return tl.inline_asm_elementwise(
            _UNPACK,
            "=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,r,l",
            [words, values_ptr.to(tl.int64)],
            dtype=(tl.float32,) * 8,
            is_pure=True,
            pack=1,
        )
    elif FAST == 2:
        address = tl.zeros(words.shape, tl.int64) + values_ptr.to(tl.int64)
        own = tl.inline_asm_elementwise(
            _OWN, "=f,l", [address], dtype=tl.float32, is_pure=True, pack=1
        )
        return tl.inline_asm_elementwise(
            _UNPACK_BY,
            "=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,r,f",
            [words, own],
            dtype=(tl.float32,) * 8,
            is_pure=True,
            pack=1,
        )
    else:
        return (
            tl.load(values_ptr + ((words >> 4) & 15)),
            tl.load(values_ptr + (words & 15)),
            tl.load(values_ptr + ((words >> 12) & 15)),
            tl.load(values_ptr + ((words >> 8) & 15)),
            tl.load(values_ptr + ((words >> 20) & 15)),
            tl.load(values_ptr + ((words >> 16) & 15)),
            tl.load(values_ptr + ((words >> 28) & 15)),
            tl.load(values_ptr + ((words >> 24) & 15)),
        )


@cache
def nf4_values(device: torch.device) -> torch.Tensor:
    """The sixteen values, float32."""
    with torch.inference_mode(mode=False):
        return torch.tensor(NF4_VALUES, dtype=torch.float32, device=device)
