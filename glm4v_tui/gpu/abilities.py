"""What a GPU can do, which does not change: how fast its memory is, whether it knows bfloat16."""

from __future__ import annotations

from typing import Any

import msgspec

from glm4v_tui.gpu.nvml import ask, bindings

_BF16_SINCE = 8
"""Major compute capability from which bfloat16 is computed in hardware."""


class GpuAbility(msgspec.Struct, frozen=True):
    """Of one GPU. None where the driver does not say."""

    bandwidth: float | None
    """Of its memory, in bytes a second: two transfers a clock over the width of the bus."""
    has_bf16: bool | None


def read_abilities() -> dict[int, GpuAbility]:
    """NVML's number of a GPU -> what it can do; empty without a driver."""
    try:
        nvml = bindings()
        nvml.nvmlInit()
    except Exception:  # noqa: BLE001 - no driver, or a broken one: nothing is known then
        return {}
    try:
        count = ask(nvml, nvml.nvmlDeviceGetCount) or 0
        handles = [ask(nvml, nvml.nvmlDeviceGetHandleByIndex, index) for index in range(count)]
        return {
            index: _ability(nvml, handle)
            for index, handle in enumerate(handles)
            if handle is not None
        }
    finally:
        ask(nvml, nvml.nvmlShutdown)


def _ability(nvml: Any, handle: Any) -> GpuAbility:
    megahertz = ask(nvml, nvml.nvmlDeviceGetMaxClockInfo, handle, nvml.NVML_CLOCK_MEM)
    bits = ask(nvml, nvml.nvmlDeviceGetMemoryBusWidth, handle)
    capability = ask(nvml, nvml.nvmlDeviceGetCudaComputeCapability, handle)
    return GpuAbility(
        bandwidth=2 * megahertz * 1e6 * bits / 8 if megahertz and bits else None,
        has_bf16=None if capability is None else capability[0] >= _BF16_SINCE,
    )
