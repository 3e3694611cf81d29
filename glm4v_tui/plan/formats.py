"""What a matrix takes in each number format, at rest and while it is multiplied."""

from __future__ import annotations

from glm4v_tui.plan.figures import (
    ALLOCATION,
    LARGE_ALLOCATION,
    LEAST_REST,
    PACKED_AT_ONCE,
    SEGMENT,
    WEIGHTS_AT_ONCE,
)
from glm4v_tui.precision import NF4_BLOCK, NF4_SCALES_BLOCK, Format


def itemsize(form: Format) -> int:
    """Bytes an element of what is computed with: quantized weights are computed in bfloat16."""
    return 4 if form == Format.FP32 else 2


def rounded(size: int) -> int:
    """As the allocator hands it out."""
    size = -(-size // ALLOCATION) * ALLOCATION
    if size < LARGE_ALLOCATION:
        return size
    segment = -(-size // SEGMENT) * SEGMENT
    return segment if segment - size <= LEAST_REST else size


def matrix_bytes(rows: int, columns: int, form: Format) -> int:
    """A linear layer's weight, its scales included.

    As :func:`glm4v_tui.precision.bytes_of_linear`, with every tensor rounded as the allocator
    does: weights, scales, the scales' scales, their mean.
    """
    count = rows * columns
    match form:
        case Format.INT8:
            return rounded(count) + rounded(4 * rows)
        case Format.NF4:
            scales = -(-count // NF4_BLOCK)
            nested = -(-scales // NF4_SCALES_BLOCK) * 4
            return rounded(-(-count // 2)) + rounded(scales) + rounded(nested) + rounded(4)
        case _:
            return rounded(count * itemsize(form))


def product_bytes(inputs: int, rows: int, columns: int, form: Format, *, in_pieces: bool) -> int:
    """The result of ``inputs`` rows times a matrix, and what is needed beside it.

    LLM.int8() has int32 sums, their float16 and its bfloat16 copy alive at once, and the input
    in int8 (bitsandbytes' int8_mm_dequant for CUDA). NF4 makes the matrix bfloat16 again, and its
    scales float32.

    Args:
        in_pieces: Some rows of a packed matrix at a time are made whole, as this program's own
            kernels do; else all at once, as bitsandbytes' layers do.
    """
    result = inputs * rows * itemsize(form)
    packed = form in (Format.INT8, Format.NF4)
    if packed and in_pieces:
        return result + min(rows * columns, WEIGHTS_AT_ONCE) * 2
    match form:
        case Format.INT8:
            beside = inputs * (rows * (4 + 2) + columns)
        case Format.NF4:
            count = rows * columns
            beside = count * 2 + count // NF4_BLOCK * 4
        case _:
            beside = 0
    return result + beside


def packing_bytes(rows: int, columns: int, form: Format, *, at_once: int = PACKED_AT_ONCE) -> int:
    """Beside the result, while a matrix is quantized piece by piece: the piece as it comes, its
    copy in float32 (INT8) or its four-bit values (NF4), and NF4's scales in float32, twice while
    they are quantized."""
    count = rows * columns
    some = min(count, at_once)
    match form:
        case Format.INT8:
            return some * (2 + 4) + 3 * ALLOCATION + 16 * rows
        case Format.NF4:
            scales = 4 * (count // NF4_BLOCK)
            return max(some * 2 + some // 2 + scales, 2 * scales) + 8 * ALLOCATION
        case _:
            return 0
