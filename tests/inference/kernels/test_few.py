"""Products of a few tokens with NF4 words: the tables on any machine, the rest by Triton."""

from __future__ import annotations

import struct

import pytest
import torch

from glm4v_tui.inference.kernels.few import spread, takes_few
from glm4v_tui.inference.kernels.mma_words import FACTOR, PLACES, unpacking
from glm4v_tui.inference.quantized.kernels import NF4_VALUES
from tests.inference.kernels.conftest import DEVICE
from tests.inference.kernels.references import permute, random

_ORDER = (1, 0, 3, 2, 5, 4, 7, 6)
"""Which four bits of a word each weight has: the upper half of a byte is first."""


def run(text: str, word: int) -> dict[str, int]:
    """The registers after these instructions of PTX, by its manual."""
    held = {"$0": word}

    def value(name: str) -> int:
        return held[name] if name in held else int(name, 0)

    for line in filter(None, (part.strip() for part in text.split(";"))):
        act, _, rest = line.partition(" ")
        target, *operands = (part.strip() for part in rest.split(","))
        held[target] = _ACTS[act](*map(value, operands)) & 0xFFFFFFFF
    return held


_ACTS = {
    "mov.b32": lambda a: a,
    "xor.b32": lambda a, b: a ^ b,
    "shr.u32": lambda a, b: a >> b,
    "prmt.b32": permute,
}


def bfloat16(bits: int) -> float:
    found: tuple[float] = struct.unpack("<f", (bits << 16).to_bytes(4, "little"))
    return found[0]


@pytest.mark.parametrize("turn", range(16))
def test_words_stand_for_their_values(turn: int) -> None:
    """All sixteen values at all eight places, one turn after the other."""
    nibbles = [(place + turn) % 16 for place in range(8)]
    word = sum(nibble << 4 * place for place, nibble in enumerate(nibbles))
    held = run(unpacking("a", "$0"), word)
    for number, place in enumerate(_ORDER):
        first, second = (held[f"a{half}{number // 2}"] >> 16 * (number % 2) for half in "fs")
        whole = bfloat16(first & 0xFFFF) - 16384 + bfloat16(second & 0xFFFF) - 128
        assert whole == PLACES[nibbles[place]]
        assert abs(whole * FACTOR.value - 1 - NF4_VALUES[nibbles[place]]) < 7e-5


@pytest.mark.parametrize(("tokens", "room", "columns"), [(3, 8, 192), (9, 16, 1152), (8, 8, 64)])
def test_inputs_are_spread_out(tokens: int, room: int, columns: int) -> None:
    x = random(tokens, columns)
    planes, sums = spread(x, room)
    pairs = x.view(torch.int32).view(tokens, columns // 8, 4).permute(2, 0, 1)
    assert torch.equal(planes[:, :tokens], pairs)
    assert not planes[:, tokens:].any()
    assert not sums[:, tokens:].any()


def test_inputs_that_meet_a_block_are_summed() -> None:
    x = random(3, 192, dtype=torch.bfloat16)
    _, sums = spread(x, 8)
    assert torch.allclose(sums[:, :3].double(), x.double().view(3, -1, 64).sum(-1).T, atol=1e-4)


def test_where_there_is_no_gpu_it_is_not_used() -> None:
    assert takes_few(random(2, 64, dtype=torch.bfloat16)) == (DEVICE == "cuda")
