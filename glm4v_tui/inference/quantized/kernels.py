"""Products with INT8 and NF4 weights: bitsandbytes' kernels on plain tensors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from glm4v_tui.errors import EngineError
from glm4v_tui.precision import NF4_BLOCK, NF4_SCALES_BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Bring = Callable[[torch.Tensor], torch.Tensor]
    """Brings a piece of a matrix to where it is packed."""

WEIGHTS_AT_ONCE = 1 << 24
"""Weights that are unpacked, or rounded, at once: 32 MiB in 16 bits."""

NF4_VALUES = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""The sixteen values (QLoRA, appendix E)."""


def require_kernels() -> None:
    """Register bitsandbytes' operations, at the first call.

    Raises:
        EngineError: it is not installed, or does not work here.
    """
    try:
        with _nothing_compiled():
            import bitsandbytes  # noqa: F401
    except Exception as error:
        raise EngineError(
            "INT8 and NF4 need bitsandbytes",
            f"It cannot be imported: {error}",
            "Install it beside glm4v-tui (pip install bitsandbytes), or start with --precision "
            "bf16.",
        ) from error


@contextmanager
def _nothing_compiled() -> Iterator[None]:
    """Leave functions as they are that a library marks to be compiled while it is imported.

    bitsandbytes marks its optimizers and what computes where it has no kernels. The mark alone
    loads torch's compiler: three to six seconds, of the quarter of one that the import takes else.
    """
    compile_later, torch.compile = torch.compile, _unchanged  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compile = compile_later


def _unchanged(function: Any = None, **_: Any) -> Any:
    return function if function is not None else _unchanged


# INT8 -------------------------------------------------------------------------------------------


def int8_rows(weight: torch.Tensor, bring: Bring) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows as int8 with their largest absolute values, a piece at a time: rounding needs floats.

    Args:
        bring: Each piece passes through it; the results are where it brings the first one.
    """
    step = max(1, WEIGHTS_AT_ONCE // weight.shape[1])
    piece = bring(weight[:step])
    packed = torch.empty(weight.shape, dtype=torch.int8, device=piece.device)
    scale = torch.empty(len(weight), dtype=torch.float32, device=piece.device)
    for start in range(0, len(weight), step):
        if start:
            del piece  # before there are two
            piece = bring(weight[start : start + step])
        piece = piece.to(torch.float32, copy=True)
        largest = torch.maximum(piece.amax(1), piece.amin(1).neg_())
        scale[start : start + step] = largest
        piece.mul_((127 / largest.clamp(min=1e-30))[:, None]).round_()
        packed[start : start + step] = piece
    return packed, scale


def int8_product(
    inputs: torch.Tensor,
    weight: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor | None,
    outliers: float,
) -> torch.Tensor:
    """LLM.int8: (tokens, columns) by (rows, columns) to (tokens, rows).

    Args:
        outliers: The threshold from which on columns of the inputs are computed in 16 bits.
    """
    kernels = torch.ops.bitsandbytes
    packed, input_scale, columns = kernels.int8_vectorwise_quant(inputs.to(torch.float16), outliers)
    result: torch.Tensor
    if outliers:
        result = kernels.int8_mixed_scaled_mm(
            inputs, packed, weight, input_scale, scale, columns, bias
        )[0]
    else:
        result = kernels.int8_scaled_mm(packed, weight, input_scale, scale, bias, inputs.dtype)
    return result


# NF4 --------------------------------------------------------------------------------------------


class Nf4(NamedTuple):
    """A matrix in NF4 with double quantization.

    Blocks of 64 weights share a scale; the scales, less their mean, are kept in 8 bits, and blocks
    of 256 of them share a scale.
    """

    weight: torch.Tensor
    """uint8 (rows * columns / 2)."""
    scales: torch.Tensor
    """uint8 (rows * columns / 64)."""
    scales_scale: torch.Tensor
    """float32 (scales / 256)."""
    scales_mean: torch.Tensor
    """float32 (), or (rows,) where matrices with different means are one."""


def nf4_pack(weight: torch.Tensor, bring: Bring) -> Nf4:
    """A matrix in NF4, a piece at a time; the scales are packed at the end, all together.

    The bytes are those that bitsandbytes' ``quantize_4bit`` makes of the whole.

    Args:
        bring: Each piece passes through it; the results are where it brings the first one.
    """
    flat = weight.contiguous().view(-1)
    step = WEIGHTS_AT_ONCE // NF4_BLOCK * NF4_BLOCK
    piece = bring(flat[:step])
    packed = torch.empty(-(-len(flat) // 2), dtype=torch.uint8, device=piece.device)
    scales = torch.empty(-(-len(flat) // NF4_BLOCK), dtype=torch.float32, device=piece.device)
    for start in range(0, len(flat), step):
        if start:
            del piece  # before there are two
            piece = bring(flat[start : start + step])
        values, largest = torch.ops.bitsandbytes.quantize_4bit(piece, NF4_BLOCK, "nf4", torch.uint8)
        packed[start // 2 : start // 2 + len(values)] = values.view(-1)
        scales[start // NF4_BLOCK : start // NF4_BLOCK + len(largest)] = largest
        del values
    del piece
    return Nf4(packed, *_scales_packed(scales))


def _scales_packed(scales: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scales of blocks in 8 bits around their mean, the scales of these, and the mean."""
    mean = scales.mean()
    packed, scales_scale = torch.ops.bitsandbytes.quantize_blockwise(
        scales.sub_(mean), scale_code(scales.device), NF4_SCALES_BLOCK
    )
    return packed, scales_scale, mean


def nf4_product(
    inputs: torch.Tensor, kept: Nf4, shape: tuple[int, int], bias: torch.Tensor | None
) -> torch.Tensor:
    """(..., columns) to (..., rows), fused where the GPU has a kernel, else unpacked whole."""
    result: torch.Tensor = torch.ops.bitsandbytes.gemm_4bit(
        *(inputs, kept.weight.view(-1, 1), shape, kept.scales_scale, NF4_BLOCK, "nf4", bias),
        *(kept.scales, scale_code(inputs.device), kept.scales_mean),
    )
    return result


def nf4_product_in_pieces(
    inputs: torch.Tensor, kept: Nf4, shape: tuple[int, int], bias: torch.Tensor | None
) -> torch.Tensor:
    """The same with a part of the rows unpacked at a time: whole they would be the memory's peak.

    A row must be a whole number of blocks.
    """
    rows, columns = shape
    flat = inputs.reshape(-1, columns)
    result = flat.new_empty(len(flat), rows)
    scales = nf4_scales(kept)
    step = max(1, WEIGHTS_AT_ONCE // columns)
    for start in range(0, rows, step):
        end = min(rows, start + step)
        weight = _unpacked_rows(kept, scales, start, end, columns, inputs.dtype)
        if bias is None:
            torch.mm(flat, weight.t(), out=result[:, start:end])
        else:
            torch.addmm(bias[start:end], flat, weight.t(), out=result[:, start:end])
    return result.view(*inputs.shape[:-1], rows)


def nf4_unpack(kept: Nf4, shape: tuple[int, int], dtype: torch.dtype) -> torch.Tensor:
    """The weights as they are computed with, (rows, columns)."""
    weight: torch.Tensor = torch.ops.bitsandbytes.dequantize_4bit(
        kept.weight.view(-1, 1), nf4_scales(kept), NF4_BLOCK, "nf4", shape, dtype
    )
    return weight


def nf4_scales(kept: Nf4) -> torch.Tensor:
    """The scale of every block, in float32."""
    scales: torch.Tensor = torch.ops.bitsandbytes.dequantize_blockwise(
        *(kept.scales, kept.scales_scale, scale_code(kept.scales.device)),
        *(NF4_SCALES_BLOCK, torch.float32),
    )
    mean = kept.scales_mean
    if mean.numel() > 1:
        mean = mean.repeat_interleave(len(scales) // len(mean))
    return scales + mean


def _unpacked_rows(
    kept: Nf4, scales: torch.Tensor, start: int, end: int, columns: int, dtype: torch.dtype
) -> torch.Tensor:
    first, last = start * columns, end * columns
    weight: torch.Tensor = torch.ops.bitsandbytes.dequantize_4bit(
        kept.weight[first // 2 : last // 2].view(-1, 1),
        scales[first // NF4_BLOCK : last // NF4_BLOCK],
        *(NF4_BLOCK, "nf4", (end - start, columns), dtype),
    )
    return weight


_scale_codes: dict[torch.device, torch.Tensor] = {}


def scale_code(device: torch.device) -> torch.Tensor:
    """What the 256 values of a scale's byte stand for; one table a device."""
    if device not in _scale_codes:
        import bitsandbytes.functional as functional

        with torch.inference_mode(mode=False):
            _scale_codes[device] = functional.create_dynamic_map().to(device)
    return _scale_codes[device]


# NF4 on a CPU -----------------------------------------------------------------------------------


class CpuNf4(NamedTuple):
    """NF4 as bitsandbytes' AVX512 kernel reads it."""

    weight: torch.Tensor
    scales: torch.Tensor
    """bfloat16."""
    values: torch.Tensor


def nf4_for_cpu(kept: Nf4, shape: tuple[int, int]) -> CpuNf4 | None:
    """The matrix in the kernel's layout; None where the processor or the shape does not do."""
    import bitsandbytes.functional as functional

    if shape[0] % 32 or shape[1] % NF4_BLOCK or not functional.has_avx512bf16():
        return None
    state = functional.QuantState(
        absmax=nf4_scales(kept),
        shape=torch.Size(shape),
        code=torch.tensor(NF4_VALUES),
        blocksize=NF4_BLOCK,
        quant_type="nf4",
        dtype=torch.bfloat16,
    )
    packed, state = functional._convert_weight_packed_for_cpu(kept.weight, state)
    return CpuNf4(packed, state.absmax, state.code)


def nf4_product_on_cpu(
    inputs: torch.Tensor, kept: CpuNf4, shape: tuple[int, int], bias: torch.Tensor | None
) -> torch.Tensor:
    result: torch.Tensor = torch.ops.bitsandbytes.gemv_4bit(
        inputs.contiguous(), kept.weight, shape, kept.scales, kept.values, NF4_BLOCK
    )
    return result if bias is None else result + bias
