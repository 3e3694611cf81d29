"""Which device a model goes to, and in which precision.

The rule for ``auto`` needs no trial. On a GPU it is the memory plan's (:mod:`glm4v_tui.plan`): the
most exact precision that fits the free memory with a large image and the usual context; where the
plan cannot read the checkpoint's sizes, a rule by shares of its weights. On a CPU float32, which
every CPU computes fast, but bfloat16 for large models where the CPU has units for it: there it
reads half the bytes and multiplies four times as fast. If neither fits, int8, which writes answers
faster than bfloat16 and reads prompts slower; NF4 is slower than both there and only saves memory,
so it must be asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
import torch

from glm4v_tui.errors import UsageError
from glm4v_tui.gpu import read_host
from glm4v_tui.plan import Gpu, choose, usual_load
from glm4v_tui.precision import PRECISIONS, Format, Rule, computes_in, is_quantized, rules_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.plan import Shape

    BytesAs = Callable[[int], int]

DTYPES = {Format.FP32: torch.float32, Format.BF16: torch.bfloat16, Format.FP16: torch.float16}
_HEADROOM = 1.15
"""Of a GPU's free memory over the weights: keys, values and activations need room too."""
_LARGE_FOR_A_CPU = 100_000_000
"""Weights from which on a CPU's speed matters more than the last digits."""
_SHARES = (("int8", 0.6), ("int4", 0.37), ("int4-compact", 0.0))
"""What precisions take of 16-bit weights; the last is for whatever fits nowhere else."""


class Placement(msgspec.Struct, frozen=True):
    """Where a model goes and in which precision."""

    precision: str
    device: str
    """``cpu`` or ``cuda``; which GPUs and what else is decided when its parts are known."""
    rules: tuple[Rule, ...]
    dtype_name: Literal["fp32", "bf16", "fp16"]
    """What products are computed in."""
    gpus: tuple[tuple[int, int], ...] = ()
    """(index, free bytes) of the GPUs that may be used."""
    vision: Literal["auto", "resident", "parked", "streamed"] = "auto"
    """What becomes of the vision tower's weights while they are not in use."""

    @property
    def dtype(self) -> torch.dtype:
        return DTYPES[Format(self.dtype_name)]

    @property
    def is_quantized(self) -> bool:
        return is_quantized(self.rules)


def choose_placement(
    precision: str, device: str, bytes_as: BytesAs, shape: Shape | None = None
) -> Placement:
    """Decide for a model.

    Args:
        precision: ``auto`` or the name of a precision.
        device: ``auto``, ``cuda`` or ``cpu``.
        bytes_as: What its weights take in a format of so many bytes an element.
        shape: Its sizes, for the plan; None when they could not be read.

    Raises:
        UsageError: an unknown precision or device, CUDA where there is none, or a precision that
            the device cannot compute in.
    """
    if precision != "auto":
        rules_of(precision)
    if _wants_cuda(device):
        return _on_gpus(precision, bytes_as, shape)
    return _on_cpu(precision, bytes_as)


def _wants_cuda(device: str) -> bool:
    if device not in ("auto", "cuda", "cpu"):
        raise UsageError(f"Unknown device {device!r}", "", "Choose one of: auto, cuda, cpu.")
    if device == "cuda":
        require_cuda("CUDA was asked for and is not to be had", "or start with --device cpu.")
    return device != "cpu" and torch.cuda.is_available()


def require_cuda(title: str, otherwise: str) -> None:
    """Args: otherwise: what can be done without a GPU, as the end of the remedy.

    Raises:
        UsageError: torch has no GPU to compute on.
    """
    if not torch.cuda.is_available():
        raise UsageError(title, _why_no_cuda(), f"{_CHECK_CUDA} {otherwise}")


_CHECK_CUDA = (
    "Check that nvidia-smi lists a GPU and that torch is a CUDA build (glm4v-tui doctor tells),"
)


def _why_no_cuda() -> str:
    if torch.version.cuda is None:
        return f"The installed torch {torch.__version__} is built without CUDA."
    return (
        f"torch {torch.__version__} is built for CUDA {torch.version.cuda} but finds no usable GPU."
    )


# On a CPU ---------------------------------------------------------------------------------------


def _on_cpu(precision: str, bytes_as: BytesAs) -> Placement:
    name = precision if precision != "auto" else _cpu_precision(bytes_as)
    rules = rules_of(name)
    kept = computes_in(rules)
    return Placement(name, "cpu", rules, kept.value)  # type: ignore[arg-type]


def _cpu_precision(bytes_as: BytesAs) -> str:
    host = read_host()
    room = host.available if host else 0
    is_large = bytes_as(1) > _LARGE_FOR_A_CPU
    choices = [("fp32", 4), ("bf16", 2), ("int8", 1)]
    if is_large and _multiplies_bf16():
        choices.pop(0)
    for name, itemsize in choices:
        if bytes_as(itemsize) * _HEADROOM < room:
            return name
    return choices[-1][0]


def _multiplies_bf16() -> bool:
    """Whether the CPU has instructions for products in bfloat16."""
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    if known:
        return any(known.get(name) for name in ("avx512_bf16", "amx_bf16"))
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", bool)())


# On GPUs ----------------------------------------------------------------------------------------


def _on_gpus(precision: str, bytes_as: BytesAs, shape: Shape | None) -> Placement:
    free = tuple((index, gpu_room(index)) for index in range(torch.cuda.device_count()))
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    name = precision
    if precision == "auto" and shape is not None:
        name = planned_precision(shape, free, has_bf16)
    elif precision == "auto":
        name = _gpu_precision(bytes_as, free, has_bf16)
    rules = rules_of(name)
    kept = computes_in(rules)
    if kept is Format.BF16 and not has_bf16:
        if not is_quantized(rules):
            raise _no_bf16()
        kept = Format.FP16
    return Placement(name, "cuda", rules, kept.value, free)  # type: ignore[arg-type]


def planned_precision(shape: Shape, free: tuple[tuple[int, int], ...], has_bf16: bool) -> str:
    """What the memory plan recommends.

    Args:
        free: (index, free bytes) of each GPU, read when CUDA's own share was taken already.
    """
    gpus = [Gpu(index, room, has_bf16=has_bf16) for index, room in free]
    name = choose(shape, gpus, load=usual_load(shape), context=0).plan.precision
    # Weights that are stored quantized are loaded as they are; 16 bits is what is computed in.
    return name if name in PRECISIONS else "bf16" if has_bf16 else "fp16"


def _gpu_precision(bytes_as: BytesAs, free: tuple[tuple[int, int], ...], has_bf16: bool) -> str:
    whole = bytes_as(2) * _HEADROOM
    room = sum(one for _, one in free)
    if whole <= room:
        return "bf16" if has_bf16 else "fp16"
    return next(name for name, share in _SHARES if whole * share <= room)


def gpu_room(index: int) -> int:
    """Bytes that this process can still take of a GPU, its own cap respected."""
    free, total = torch.cuda.mem_get_info(index)
    free += torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)
    fraction = torch.cuda.get_per_process_memory_fraction(index)  # 1 unless it was set
    return min(free, int(total * fraction) - torch.cuda.memory_allocated(index))


def _no_bf16() -> UsageError:
    name = torch.cuda.get_device_name()
    return UsageError(
        "This GPU does not compute in bf16",
        f"{name} is older than the format; it would be computed in slow steps.",
        "Start with --precision auto, fp16, int8 or int4.",
    )
