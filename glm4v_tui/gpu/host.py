"""The memory of this host and of its processes, through psutil."""

from __future__ import annotations

from pathlib import Path

import msgspec

_CGROUP = Path("/sys/fs/cgroup")


class HostMemory(msgspec.Struct, frozen=True):
    """The memory this process may use: the host's, or its container's where that is less."""

    total: int
    available: int

    @property
    def used(self) -> int:
        return max(0, self.total - self.available)


def read_host() -> HostMemory | None:
    """The memory of this host, or of this container where that is limited."""
    try:
        import psutil

        memory = psutil.virtual_memory()
    except Exception:  # noqa: BLE001 - psutil raises whatever /proc gives it in odd containers
        return None
    return _within_cgroup(HostMemory(int(memory.total), int(memory.available)))


def process_memory(pid: int | None = None) -> int | None:
    """Resident bytes of a process (this one by default); None when it is gone."""
    try:
        import psutil

        return int(psutil.Process(pid).memory_info().rss)
    except Exception:  # noqa: BLE001 - gone, forbidden, or no /proc: all the same to the reader
        return None


def _within_cgroup(host: HostMemory) -> HostMemory:
    try:
        limit = int((_CGROUP / "memory.max").read_text())  # "max" when there is none
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return host
    if limit >= host.total:
        return host
    return HostMemory(limit, min(host.available, max(0, limit - used)))
