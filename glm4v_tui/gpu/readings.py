"""What was read from GPUs, and which of them are meant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class GpuReading(msgspec.Struct, frozen=True):
    """One GPU, or one instance of a GPU that is divided by MIG."""

    index: int
    """NVML's number, in the order of the PCI bus; an instance has its GPU's."""
    uuid: str
    """``GPU-...`` or ``MIG-...``; empty when unknown."""
    name: str
    memory_total: int | None = None
    memory_used: int | None = None
    """What processes hold; the driver's own share is told apart where the driver does so."""
    memory_free: int | None = None
    memory_reserved: int | None = None
    """Held by the driver itself."""
    utilization: int | None = None
    """Percent of the last sample period in which a kernel ran."""
    temperature: int | None = None
    """Degrees Celsius."""
    is_unified: bool = False
    """True when CPU and GPU share one memory; the figures are then the host's."""

    @property
    def memory_fraction(self) -> float | None:
        """Used part of the total, 0 to 1."""
        if self.memory_used is None or not self.memory_total:
            return None
        return min(1.0, self.memory_used / self.memory_total)


class GpuReport(msgspec.Struct, frozen=True):
    """All GPUs that NVML shows, or the reason why there are none."""

    gpus: tuple[GpuReading, ...] = ()
    driver_version: str | None = None
    reason: str = ""
    """Why nothing could be read, in the driver's words; empty when it could."""


def same_device(one: str, other: str) -> bool:
    """True when two UUIDs name one device; CUDA and NVML differ in prefix and letter case."""
    return bool(one) and _bare(one) == _bare(other)


def visible_gpus(
    gpus: tuple[GpuReading, ...], environ: Mapping[str, str] = os.environ
) -> tuple[GpuReading, ...]:
    """The GPUs that ``CUDA_VISIBLE_DEVICES`` leaves to CUDA, in CUDA's order.

    Numbers are taken in the order of the PCI bus, which CUDA follows among equal GPUs; only the
    UUIDs that the worker reports are certain. As in CUDA, the list ends at the first wrong entry.
    """
    wanted = environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return gpus
    found: list[GpuReading] = []
    for name in wanted.split(","):
        gpu = _find(gpus, name.strip())
        if gpu is None or gpu in found:
            break
        found.append(gpu)
    return tuple(found)


def gpus_of(gpus: tuple[GpuReading, ...], uuids: Iterable[str]) -> tuple[GpuReading, ...]:
    """The GPUs of these UUIDs (those that a worker uses); all visible ones when none is known."""
    wanted = tuple(uuid for uuid in uuids if uuid)
    found = tuple(gpu for gpu in gpus if any(same_device(gpu.uuid, uuid) for uuid in wanted))
    return found or visible_gpus(gpus)


def _find(gpus: tuple[GpuReading, ...], name: str) -> GpuReading | None:
    if name.isdigit():
        return next((gpu for gpu in gpus if gpu.index == int(name)), None)
    if not name.upper().startswith(("GPU-", "MIG-")):
        return None
    starts = [gpu for gpu in gpus if gpu.uuid.lower().startswith(name.lower())]
    return starts[0] if len(starts) == 1 else None


def _bare(uuid: str) -> str:
    return uuid.lower().removeprefix("gpu-").removeprefix("mig-")
