"""Products of packed NF4 words on the tensor cores, from the registers that they are read to.

``mma.sync.m16n8k16`` wants of a lane, in this order: of rows g and g + 8 (g its number over four)
four weights each, and of token g the four inputs that meet them. Which columns those four are is
free, as long as weights and inputs agree. So a lane keeps the words that it loaded of a row, and
gets the same columns of a token: nothing moves between lanes, as it does before every product of
Triton's own, for which weights are made whole in between.

Words are looked up by byte permutes. A selector of 4 bits takes one of eight bytes or, where its
upper bit is set, that byte's sign, eight times; two permutes, the second with the selectors' upper
bits turned over, and an exclusive or are a table of sixteen bytes, as long as all of them have the
same sign. With two such tables a value in -1 to 1 is a number of 14 bits, off by 6e-5 at most. Its
halves stand in bfloat16 as 16384 + 128 * first and as 128 + second, both exact: two products, and
what those are too large by goes off with the inputs' sum.
"""

from __future__ import annotations

import triton.language as tl

from glm4v_tui.inference.quantized.kernels import NF4_VALUES

_STEPS = 16383
"""Of the values between -1 and 1."""
PLACES = [round((value + 1) / 2 * _STEPS) for value in NF4_VALUES]
FACTOR = tl.constexpr(2 / _STEPS)
"""What a sum of the products is multiplied by ..."""
OFFSET = tl.constexpr(1 + FACTOR.value * (16384 + 128))
"""... and what times the inputs' sum it is too large by then."""


def tables(entries: list[int], *, is_negative: bool) -> list[int]:
    """Sixteen bytes of one sign as four words, two for each permute: entries 0 to 7, and others."""
    upper = [entry ^ 0xFF for entry in entries[8:]] if is_negative else entries[8:]
    pieces = [entries[:4], entries[4:8], upper[:4], upper[4:]]
    return [int.from_bytes(bytes(piece), "little") for piece in pieces]


_FIRST = tables([0x80 | place >> 7 for place in PLACES], is_negative=True)
_SECOND = tables([place & 127 for place in PLACES], is_negative=False)
_HALVES = (("f", _FIRST, "0x46464646"), ("s", _SECOND, "0x43434343"))
"""Name, table, and the bytes that make bfloat16 of its own."""


def unpacking(row: str, operand: str) -> str:
    """Instructions: a word to the pairs ``{row}f0`` to ``f3`` and ``{row}s0`` to ``s3``."""
    lines = [f"mov.b32 word, {operand}", "xor.b32 turned, word, 0x88888888"]
    for pair in (0, 2):
        for half, (a, b, c, d), upper in _HALVES:
            lines += [
                f"prmt.b32 bytes, {a:#010x}, {b:#010x}, word",
                f"prmt.b32 other, {c:#010x}, {d:#010x}, turned",
                "xor.b32 bytes, bytes, other",
                f"prmt.b32 {row}{half}{pair}, bytes, {upper}, 0x4041",
                f"prmt.b32 {row}{half}{pair + 1}, bytes, {upper}, 0x4243",
            ]
        lines += ["shr.u32 word, word, 16", "shr.u32 turned, turned, 16"]
    return ";\n".join(lines) + ";\n"


def _product(half: str, eight: int, pair: int, inputs: tuple[str, str]) -> str:
    """Of the pairs ``pair`` and the next of rows a and b with two registers of inputs."""
    weights = ", ".join(f"{row}{half}{at}" for at in (pair, pair + 1) for row in "ab")
    sums = ", ".join(f"{half}{eight}x{at}" for at in range(4))
    return (
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        f"{{{sums}}}, {{{weights}}}, {{{inputs[0]}, {inputs[1]}}}, {{{sums}}};\n"
    )


def _assembly(eights: int) -> str:
    """Two words of row a and two of row b by the inputs that meet them, of eights of tokens.

    Operands, of two registers each: of each eight the results of row a and of row b, each for two
    tokens; the words of a, of b; of each eight the four planes of the inputs.
    """
    sums = [f"{half}{eight}x" for eight in range(eights) for half in "fs"]
    text = ".reg .b32 word, turned, bytes, other, af<4>, as<4>, bf<4>, bs<4>;\n"
    text += "".join(f".reg .f32 {name}<4>;\n" for name in sums)
    text += "".join(f"mov.f32 {name}{at}, 0f00000000;\n" for name in sums for at in range(4))
    for word in range(2):
        text += unpacking("a", f"${4 * eights + word}")
        text += unpacking("b", f"${4 * eights + 2 + word}")
        for eight in range(eights):
            first = 4 * eights + 4 + 8 * eight + word
            for pair in (0, 2):
                inputs = f"${first + 2 * pair}", f"${first + 2 * pair + 2}"
                text += _product("f", eight, pair, inputs) + _product("s", eight, pair, inputs)
    for eight in range(eights):
        for at in range(4):
            text += f"add.f32 ${4 * eight + at}, f{eight}x{at}, s{eight}x{at};\n"
    return "{\n" + text + "}"


def _operands(eights: int) -> str:
    return ",".join(["=&f"] * (4 * eights) + ["r"] * (4 + 8 * eights))


BY_8, OPERANDS_8 = tl.constexpr(_assembly(1)), tl.constexpr(_operands(1))
BY_16, OPERANDS_16 = tl.constexpr(_assembly(2)), tl.constexpr(_operands(2))
