"""Whether the Triton kernels can be used: asked once for each device, remembered."""

from __future__ import annotations

import torch

_known: dict[torch.device, bool] = {}


def has_triton(device: torch.device) -> bool:
    """True where Triton compiles and launches a kernel on this device.

    The first question takes a second on a GPU: it needs a C compiler, Triton and its assembler, and
    only a launch shows that all of them are there. Ask before a CUDA graph is captured.
    """
    if device.type != "cuda":
        return False
    if device not in _known:
        _known[device] = _launches(device)
    return _known[device]


def is_usable(tensor: torch.Tensor) -> bool:
    """Whether the kernels take this tensor: 16 bits, on a device that they run on.

    Triton launches on the current device, whatever the tensors are on. That is the one that most of
    a model is on; layers on others do without.
    """
    if tensor.dtype not in (torch.bfloat16, torch.float16) or not has_triton(tensor.device):
        return False
    return tensor.device.index == torch.cuda.current_device()


def starts_early(tensor: torch.Tensor) -> bool:
    """Whether a kernel may start before the one before it has ended (from Hopper on)."""
    return tensor.is_cuda and torch.cuda.get_device_capability(tensor.device) >= (9, 0)


def _launches(device: torch.device) -> bool:
    try:
        from glm4v_tui.inference.kernels.trial import unpacks

        return unpacks(device, 4)
    except Exception:  # noqa: BLE001 - whatever is missing or too old, there is another way
        return False
