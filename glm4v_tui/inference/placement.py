"""Which device a model goes to, and in which number format.

The rule for ``auto`` needs no trial: the GPU when there is one, in bfloat16 when its units know
that format (compute capability 8.0 and up), else in float32. On a CPU float32, which every CPU
computes fast, unless the weights fit the free memory only in bfloat16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import torch

from glm4v_tui.errors import OutOfMemoryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    BytesAs = Callable[[int], int]

PRECISIONS = {"bf16": torch.bfloat16, "fp32": torch.float32}
_HEADROOM = 1.15
"""Of a GPU's free memory over the weights: keys, values and activations need room too."""


class Placement(msgspec.Struct, frozen=True):
    """Where a model goes and in which format."""

    precision: str
    """``bf16`` or ``fp32``."""
    device: str
    """``cpu``, ``cuda:0``, or ``cuda:0+1`` when it is spread."""
    device_map: Any
    """As ``from_pretrained`` takes it."""
    max_memory: dict[int, int] | None = None

    @property
    def dtype(self) -> torch.dtype:
        return PRECISIONS[self.precision]


def choose_placement(precision: str, device: str, bytes_as: BytesAs) -> Placement:
    """Decide for a model.

    Args:
        precision: ``auto``, ``bf16`` or ``fp32``.
        device: ``auto``, ``cuda`` or ``cpu``.
        bytes_as: What its weights take in a format of so many bytes an element.

    Raises:
        UsageError: an unknown precision or device, or CUDA where there is none.
        OutOfMemoryError: the weights do not fit the GPUs, whatever is done.
    """
    if precision != "auto" and precision not in PRECISIONS:
        raise UsageError(f"Unknown precision {precision!r}", "", "Choose one of: auto, bf16, fp32.")
    if _wants_cuda(device):
        return _on_gpus(precision, bytes_as)
    return Placement(_cpu_precision(precision, bytes_as), "cpu", {"": "cpu"})


def _wants_cuda(device: str) -> bool:
    if device not in ("auto", "cuda", "cpu"):
        raise UsageError(f"Unknown device {device!r}", "", "Choose one of: auto, cuda, cpu.")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("CUDA was asked for and is not to be had", _why_no_cuda(), _NO_CUDA_REMEDY)
    return device != "cpu" and torch.cuda.is_available()


_NO_CUDA_REMEDY = (
    "Check that nvidia-smi lists a GPU and that torch is a CUDA build "
    "(glm4v-tui doctor tells), or start with --device cpu."
)


def _why_no_cuda() -> str:
    if torch.version.cuda is None:
        return f"The installed torch {torch.__version__} is built without CUDA."
    return (
        f"torch {torch.__version__} is built for CUDA {torch.version.cuda} but finds no usable GPU."
    )


def _cpu_precision(precision: str, bytes_as: BytesAs) -> str:
    if precision != "auto":
        return precision
    import psutil

    needed = bytes_as(torch.float32.itemsize) * _HEADROOM
    return "fp32" if needed < psutil.virtual_memory().available else "bf16"


def _on_gpus(precision: str, bytes_as: BytesAs) -> Placement:
    if precision == "auto":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bf16" if has_bf16 else "fp32"
    free = [torch.cuda.mem_get_info(index)[0] for index in range(torch.cuda.device_count())]
    needed = bytes_as(PRECISIONS[precision].itemsize)
    best = max(range(len(free)), key=free.__getitem__)
    if needed * _HEADROOM <= free[best] or len(free) == 1:
        _require_room(needed, free[best : best + 1])
        return Placement(precision, f"cuda:{best}", {"": best})
    _require_room(needed, free)
    names = "+".join(str(index) for index in range(len(free)))
    # "auto" fills GPU after GPU; naming no "cpu" keeps it from spilling to the host.
    return Placement(precision, f"cuda:{names}", "auto", dict(enumerate(free)))


def _require_room(needed: int, free: Sequence[int]) -> None:
    if needed > sum(free):
        raise OutOfMemoryError(
            "The model does not fit the GPU",
            f"Its weights take {needed / 2**30:.1f} GiB; {sum(free) / 2**30:.1f} GiB are free.",
            "End other programs on the GPU, choose a smaller model, or start with --device cpu.",
        )
