"""Numbers of a file in few letters."""

from __future__ import annotations

import time

_UNITS = ("kB", "MB", "GB", "TB")


def bytes_text(count: int) -> str:
    """``999 B``, ``1.2 kB``, ``34 MB``: at most two digits after what matters."""
    if count < 1000:
        return f"{count} B"
    size = float(count)
    for unit in _UNITS:
        size /= 1000
        if size < 999.5 or unit == _UNITS[-1]:
            break
    return f"{size:.1f} {unit}" if size < 9.95 else f"{size:.0f} {unit}"


def date_text(seconds: float) -> str:
    """``2026-01-31 14:05``, in local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def counted(number: int, one: str, many: str = "") -> str:
    """``1 image``, ``2 images``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
