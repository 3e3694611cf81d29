"""What a matrix takes in each number format, at rest and while it is multiplied."""

from __future__ import annotations

from enum import StrEnum

from glm4v_tui.plan.figures import ALLOCATION, INT8_INPUTS_AT_ONCE, NF4_WEIGHTS_AT_ONCE


class Format(StrEnum):
    """How the weights of one tensor are kept."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    INT8 = "int8"
    """LLM.int8(): a byte an element and a float32 scale a row."""
    NF4 = "nf4"
    """4 bits an element in blocks of 64 with doubly quantized scales."""


QUANTIZED = (Format.INT8, Format.NF4)

_NF4_BLOCK, _NF4_NESTED = 64, 256


def itemsize(form: Format) -> int:
    """Bytes an element of what is computed with: quantized weights are computed in bfloat16."""
    return 4 if form == Format.FP32 else 2


def rounded(size: int) -> int:
    """As the allocator hands it out."""
    return -(-size // ALLOCATION) * ALLOCATION


def matrix_bytes(rows: int, columns: int, form: Format) -> int:
    """A linear layer's weight, its scales included.

    NF4 has 4 bits an element; for each 64 of them a scale of one byte; for each 256 scales one in
    float32; and two code books, of 16 and of 256 values in float32, with an offset.
    """
    count = rows * columns
    match form:
        case Format.INT8:
            return rounded(count) + rounded(4 * rows)
        case Format.NF4:
            scales = -(-count // _NF4_BLOCK)
            nested = -(-scales // _NF4_NESTED) * 4
            books = rounded(16 * 4) + rounded(256 * 4) + rounded(4)
            return rounded(-(-count // 2)) + rounded(scales) + rounded(nested) + books
        case _:
            return rounded(count * itemsize(form))


def product_bytes(inputs: int, rows: int, columns: int, form: Format, *, in_pieces: bool) -> int:
    """The result of ``inputs`` rows times a matrix, and what is needed beside it.

    LLM.int8() has int32 sums, their float16 and its bfloat16 copy alive at once, and the input
    in int8 (bitsandbytes' int8_mm_dequant for CUDA). NF4 makes the matrix bfloat16 again, and its
    scales float32.

    Args:
        in_pieces: A part of the inputs (INT8) or of the rows (NF4) at a time, as this program's
            own layers do; else all at once, as bitsandbytes' layers do.
    """
    result = inputs * rows * itemsize(form)
    match form:
        case Format.INT8:
            some = min(inputs, INT8_INPUTS_AT_ONCE) if in_pieces else inputs
            beside = some * (rows * (4 + 2 + (2 if some < inputs else 0)) + columns)
        case Format.NF4:
            count = rows * columns
            some = min(count, NF4_WEIGHTS_AT_ONCE) if in_pieces else count
            beside = some * 2 + count // _NF4_BLOCK * 4
        case _:
            beside = 0
    return result + beside
