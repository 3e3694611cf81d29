"""Memory readings in bytes: GPUs through NVML, this host and its processes through psutil.

Every value that a driver may refuse is None when unknown; nothing here raises because of a GPU.
All functions that read block (0.01-0.2 ms, some 15 ms the first time): call them in a thread.
"""

from glm4v_tui.gpu.abilities import GpuAbility, read_abilities
from glm4v_tui.gpu.host import HostMemory, process_memory, read_host
from glm4v_tui.gpu.limits import address_space_limit, limit_words
from glm4v_tui.gpu.nvml import GpuMonitor, read_gpus
from glm4v_tui.gpu.readings import GpuReading, GpuReport, gpus_of, same_device, visible_gpus

__all__ = [
    "GpuAbility",
    "GpuMonitor",
    "GpuReading",
    "GpuReport",
    "HostMemory",
    "address_space_limit",
    "gpus_of",
    "limit_words",
    "process_memory",
    "read_abilities",
    "read_gpus",
    "read_host",
    "same_device",
    "visible_gpus",
]
