"""The memory that a model can have, once the present one has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.gpu import read_abilities, read_gpus, read_host, same_device, visible_gpus
from glm4v_tui.plan import Gpu
from glm4v_tui.plan.regained import gpu_after, host_after

if TYPE_CHECKING:
    from glm4v_tui.engine.protocol import MemoryReading
    from glm4v_tui.gpu import GpuReading


class Machine(msgspec.Struct, frozen=True):
    """What is free, in bytes; what the present model will give back is counted as free."""

    gpus: tuple[Gpu, ...] = ()
    gpu_name: str = ""
    """Of the one with most memory free; empty where there is none."""
    host_free: int | None = None
    given_back: int = 0
    """How much of that the present model still holds, where the next one will be."""

    def on(self, device: str) -> Machine:
        """The same as far as a device (``auto``, ``cuda``, ``cpu``) may use it."""
        if device != "cpu" or not self.gpus:
            return self
        return Machine((), "", self.host_free)

    @property
    def free(self) -> int | None:
        """Where a model would go: on the GPU with most memory free, or in host memory."""
        return max((gpu.free for gpu in self.gpus), default=self.host_free)


def read_machine(held: MemoryReading | None) -> Machine:
    """Read the memory of now. Blocks for some milliseconds.

    Args:
        held: What the present model's process said of itself last; None without one.
    """
    host = read_host()
    resident = held.process if held is not None else 0
    host_free = host_after(host.available, host.total, resident) if host is not None else None
    readings = visible_gpus(read_gpus().gpus)
    abilities = read_abilities() if readings else {}
    gpus: list[Gpu] = []
    names: list[str] = []
    back: list[int] = []
    for number, reading in enumerate(readings):
        if reading.memory_free is None:
            continue
        ability = abilities.get(reading.index)
        free = gpu_after(reading.memory_free, _reserved(held, reading, len(readings)))
        has_bf16 = ability is None or ability.has_bf16 is not False
        gpus.append(Gpu(number, free, ability.bandwidth if ability else None, has_bf16))
        names.append(reading.name)
        back.append(free - reading.memory_free)
    if not gpus:
        given_back = host_free - host.available if host is not None and host_free else 0
        return Machine((), "", host_free, given_back)
    best = gpus.index(max(gpus, key=lambda gpu: gpu.free))
    return Machine(tuple(gpus), names[best], host_free, back[best])


def _reserved(held: MemoryReading | None, reading: GpuReading, count: int) -> int:
    """Bytes of a GPU that the worker's allocator holds. One without a known UUID is the only one,
    or not told apart."""
    devices = held.devices if held is not None else ()
    return sum(
        device.reserved
        for device in devices
        if same_device(device.uuid, reading.uuid) or (not device.uuid and count == 1)
    )
