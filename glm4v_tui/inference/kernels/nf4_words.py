"""NF4 out of packed words: eight weights of 4 bits in 32, the upper half of a byte first.

A decode step unpacks every weight for one product, so unpacking one may cost about three
instructions. A GPU has two units that can look a value up; both together are fastest:

- Shuffles: lane n of each half of a warp holds value n, and the weight's bits name the lane. Of the
  index a shuffle of width 16 (0x101f) reads the lower four bits only, so that nothing is masked.
- Byte permutes: a selector of 4 bits takes one of eight bytes or, where its upper bit is set, that
  byte's sign, eight times. Two permutes, the second with the selectors' upper bits turned over,
  and an exclusive or make a table of sixteen bytes, as long as entries n and n + 8 have the same
  sign. Two such bytes behind 0x43 are the float 128 + first + second / 256. What is looked up is
  the nearest to ``ALPHA * value + BETA``, which are such (found by drawing them at random) that
  the signs fit; it is off by 2e-5 at most, of values up to 1.
"""

from __future__ import annotations

from functools import cache

import torch
import triton
import triton.language as tl

from glm4v_tui.inference.quantized.kernels import NF4_VALUES

ALPHA = tl.constexpr(59.055010330330056)
BETA = tl.constexpr(192.00468508382613)

# $8 is the word, $9 the address of what nf4_values gives.
_OWN = """
    .reg .b32 lane, bits;
    .reg .b64 at;
    .reg .f32 own;
    mov.u32 lane, %laneid;
    and.b32 lane, lane, 15;
    mul.wide.u32 at, lane, 4;
    add.s64 at, at, $9;
    ld.global.nc.f32 own, [at];
"""
_SHUFFLE = """
    shr.u32 bits, $8, {shift};
    shfl.sync.idx.b32 ${place}, own, bits, 0x101f, 0xffffffff;
"""
_PERMUTE = """
    xor.b32 turned, $8, 0x8888;
    prmt.b32 high, h0, h1, $8;
    prmt.b32 other, h2, h3, turned;
    xor.b32 high, high, other;
    prmt.b32 low, l0, l1, $8;
    prmt.b32 other, l2, l3, turned;
    xor.b32 low, low, other;
    prmt.b32 other, low, high, 0x5140;
    prmt.b32 float, other, 0x4300, 0x5324;
    mov.b32 $0, float;
    prmt.b32 float, other, 0x4300, 0x5104;
    mov.b32 $1, float;
    prmt.b32 other, low, high, 0x7362;
    prmt.b32 float, other, 0x4300, 0x5324;
    mov.b32 $2, float;
    prmt.b32 float, other, 0x4300, 0x5104;
    mov.b32 $3, float;
"""
_SHIFTS = (4, 0, 12, 8, 20, 16, 28, 24)
"""Where the eight weights are, in order."""
_BYTES = """
    .reg .b32 turned, low, high, other, float, h<4>, l<4>;
    ld.global.nc.v4.b32 {h0, h1, h2, h3}, [$9 + 64];
    ld.global.nc.v4.b32 {l0, l1, l2, l3}, [$9 + 80];
"""
BYTE_TABLES = (
    *(0x28201604, 0x403A352F, 0x534E4944, 0x7B6A615A),
    *(0xAFFFE4F3, 0x01A11835, 0x09757D4B, 0x0F4C3B08),
)
"""The first bytes, and the second. Loaded: constants would be moved to registers each time."""


def _shuffles(*places: int) -> str:
    return "".join(_SHUFFLE.format(shift=_SHIFTS[place], place=place) for place in places)


_BY_SHUFFLES = tl.constexpr("{" + _OWN + _shuffles(*range(8)) + "}")
_BY_BOTH = tl.constexpr("{" + _OWN + _BYTES + _PERMUTE + _shuffles(4, 5, 6, 7) + "}")
_REGISTERS = tl.constexpr("=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,r,l")


@triton.jit
def unpack_word(words: tl.tensor, values_ptr: tl.tensor, SHIFTED: tl.constexpr) -> tl.tensor:
    """int32 words of any shape to the eight weights in each, float32, in order.

    ``values_ptr`` are the values that weights stand for. With SHIFTED = 4 the first four of a word
    are ``ALPHA * value + BETA`` whatever is there, by permutes; with 0 all are by shuffles, with -1
    all are loaded, which the interpreter can do, too.
    """
    if SHIFTED == -1:
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
    else:
        return tl.inline_asm_elementwise(
            _BY_BOTH if SHIFTED == 4 else _BY_SHUFFLES,
            _REGISTERS,
            [words, values_ptr.to(tl.int64)],
            dtype=(tl.float32,) * 8,
            is_pure=True,
            pack=1,
        )


@cache
def nf4_values(device: torch.device, factor: float = 1.0) -> torch.Tensor:
    """The sixteen values times a factor, and the tables of bytes behind them; float32 (24,)."""
    with torch.inference_mode(mode=False):
        values = torch.tensor(NF4_VALUES, dtype=torch.float32, device=device) * factor
        tables = torch.tensor(BYTE_TABLES, dtype=torch.int64, device=device)
        return torch.cat((values, tables.to(torch.int32).view(torch.float32)))
