"""What the model libraries read from the environment, set before they are imported."""

from __future__ import annotations

import os
from pathlib import Path

from glm4v_tui import paths

_PRIVATE = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
_CALM = {
    # By default idle compute threads spin, which takes the cores from the interface and, where
    # cores are shared, slows small models more than tenfold.
    "OMP_WAIT_POLICY": "PASSIVE",
    # What was freed fits anything anew: else a gigabyte is reserved and of no use.
    "PYTORCH_ALLOC_CONF": "expandable_segments:True",
    "TOKENIZERS_PARALLELISM": "false",  # one prompt at a time gains nothing from threads
}

_NICE = 5


def prepare_environment() -> None:
    """Nothing private leaves this host, and the log holds warnings worth reading."""
    os.environ.update(_PRIVATE)
    for name, value in _CALM.items():
        os.environ.setdefault(name, value)
    # Kernels are compiled once for each kind of GPU, and kept with the program's other caches.
    os.environ.setdefault("TRITON_CACHE_DIR", str(paths.cache_dir() / "triton"))


def give_way() -> None:
    """Let the interface go first where model and interface share the cores.

    Counts for this thread and the compute threads that it starts from now on.
    """
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), _NICE))


def compute_threads(parameters: int) -> int:
    """Threads that pay off for a model of this size: one for each ten million parameters."""
    return max(1, min(usable_cores(), parameters // 10_000_000))


def usable_cores() -> int:
    """Physical cores that this process may use: its affinity and its container's quota count.

    Hyper-threads share the units that matrix products need, so more threads only disturb.
    """
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    physical = psutil.cpu_count(logical=False) or allowed or 1
    return max(1, min(physical, allowed or physical, _quota()))


def _quota() -> int:
    """Cores that cgroup v2 grants (``quota period`` in microseconds, or ``max``)."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, round(int(quota) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        return 1 << 16
