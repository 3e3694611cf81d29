"""Which precisions of a model fit this machine now."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from glm4v_tui.errors import GlmError
from glm4v_tui.gpu import read_gpus, read_host, visible_gpus
from glm4v_tui.plan import plans, shape_of, usual_load

_ON_CPU = ("as stored", "fp32", "bf16")
"""What the CPU computes."""


def fitting(folder: str) -> tuple[str, ...] | None:
    """Names of the precisions that fit, the most exact first; None when the plan cannot tell."""
    gpu_free, host_free = _free()
    try:
        shape = shape_of(Path(folder))
        found = plans(shape, gpu_free=gpu_free, host_free=host_free, load=usual_load(shape))
    except (GlmError, ValueError, KeyError):
        return None
    is_cpu = gpu_free is None
    return tuple(
        plan.precision for plan in found if plan.fits and (not is_cpu or plan.precision in _ON_CPU)
    )


def where() -> str:
    """Whose memory it is that they fit."""
    gpu_free, host_free = _free()
    if gpu_free is not None:
        return f"the GPU, {gpu_free / 2**30:.1f} GiB free"
    return "the CPU" + ("" if host_free is None else f", {host_free / 2**30:.1f} GiB free")


@lru_cache(maxsize=1)
def _free() -> tuple[int | None, int | None]:
    """Free bytes of the emptiest GPU (None: there is none) and of the host."""
    gpus = [one.memory_free for one in visible_gpus(read_gpus().gpus) if one.memory_free]
    host = read_host()
    return max(gpus, default=None), None if host is None else host.available
