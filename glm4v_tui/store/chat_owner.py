"""Which process has a chat open, and whether it lives: told from one with the same number."""

from __future__ import annotations

import os
import platform


def this_process() -> str:
    """Host, number and time of the start."""
    return f"{platform.node()} {os.getpid()} {_started_at(os.getpid()):.1f}"


def is_alive(owner: str) -> bool:
    """False when that process has certainly ended; those of other hosts cannot be told."""
    host, number, started = owner.rsplit(" ", 2)
    return host != platform.node() or abs(_started_at(int(number)) - float(started)) < 1.0


def _started_at(number: int) -> float:
    """Seconds since 1970; 0 when there is no such process, or it has ended and is not reaped."""
    import psutil

    try:
        process = psutil.Process(number)
        return 0.0 if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return 0.0
