"""The figures of torch's allocator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.engine.protocol import DeviceMemory

if TYPE_CHECKING:
    from collections.abc import Sequence


def device_memory(gpus: Sequence[int]) -> tuple[DeviceMemory, ...]:
    """For each of some GPUs, by their indices."""
    if not gpus:
        return ()
    import torch

    return tuple(
        DeviceMemory(
            uuid=f"GPU-{torch.cuda.get_device_properties(index).uuid}",
            allocated=torch.cuda.memory_allocated(index),
            reserved=torch.cuda.memory_reserved(index),
            peak=torch.cuda.max_memory_allocated(index),
        )
        for index in gpus
    )


def reset_peaks(gpus: Sequence[int]) -> None:
    """Let the most that was allocated count from now."""
    if not gpus:
        return
    import torch

    for index in gpus:
        torch.cuda.reset_peak_memory_stats(index)
