"""Sizes, rates and lines as these commands print them."""

from __future__ import annotations

import sys

from glm4v_tui.plain import plain_line

_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def size(nbytes: float) -> str:
    """``19.2 GiB``, ``340 MiB``, ``12 bytes``."""
    for unit, name in _UNITS:
        if nbytes >= unit:
            value = nbytes / unit
            return f"{value:.0f} {name}" if value >= 99.95 else f"{value:.1f} {name}"
    return f"{nbytes:.0f} bytes"


def parameters(count: int) -> str:
    """``10.3 billion parameters``."""
    for unit, name in ((10**9, "billion"), (10**6, "million"), (10**3, "thousand")):
        if count >= unit:
            return f"{count / unit:.1f} {name} parameters"
    return f"{count} parameters"


def files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def say(*lines: str) -> None:
    """Write lines of a result, safe to print."""
    sys.stdout.writelines(f"{plain_line(line)}\n" for line in lines)
    sys.stdout.flush()


def note(*lines: str) -> None:
    """Write lines that are no result: to standard error."""
    sys.stderr.writelines(f"{plain_line(line)}\n" for line in lines)
    sys.stderr.flush()
