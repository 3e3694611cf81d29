"""The tables of bytes that NF4 is unpacked by, with the processor's permute spelled out."""

from __future__ import annotations

import struct

from glm4v_tui.inference.kernels.nf4_words import ALPHA, BETA, BYTE_TABLES
from glm4v_tui.inference.quantized.kernels import NF4_VALUES
from tests.inference.kernels.references import permute


def looked_up(tables: tuple[int, ...], selectors: int) -> int:
    first = permute(tables[0], tables[1], selectors)
    return first ^ permute(tables[2], tables[3], selectors ^ 0x8888)


def test_every_value_at_every_place() -> None:
    for code, value in enumerate(NF4_VALUES):
        word = code | (15 - code) << 4 | code << 8 | code << 12
        high, low = looked_up(BYTE_TABLES[:4], word), looked_up(BYTE_TABLES[4:], word)
        pairs = permute(low, high, 0x5140), permute(low, high, 0x7362)
        found = [permute(pair, 0x4300, order) for pair in pairs for order in (0x5324, 0x5104)]
        floats = [struct.unpack("f", struct.pack("I", bits))[0] for bits in found]
        expected = [NF4_VALUES[15 - code], value, value, value]
        for one, exact in zip(floats, expected, strict=True):
            assert abs((one - BETA.value) / ALPHA.value - exact) < 2.1e-5
