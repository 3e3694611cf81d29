"""The memory that is free once the present model has made place for another one."""

from __future__ import annotations

from glm4v_tui.plan.figures import CUDA_CONTEXT


def gpu_after(free: int, reserved: int) -> int:
    """Bytes free on a GPU once a worker has ended whose allocator holds ``reserved`` of it: that,
    and CUDA's own share, come back."""
    return free + reserved + (CUDA_CONTEXT if reserved else 0)


def host_after(available: int, total: int, resident: int) -> int:
    """Host memory that is available once a worker of ``resident`` bytes has ended.

    Pages of files that it has mapped count as available before and as resident, so this can be
    too much by the size of its libraries, some 0.5 GiB.
    """
    return min(total, available + resident)
