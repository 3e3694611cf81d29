"""Where an export goes: a file that is written whole or not at all, or standard output."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from glm4v_tui.errors import UsageError
from glm4v_tui.paths import expanded
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable


STANDARD_OUTPUT = "-"


def check_free(name: str | None, *, force: bool) -> None:
    """Refuse a file that has something in it, unless it is to be overwritten.

    Raises:
        UsageError: it is there already.
    """
    if force or name in (None, STANDARD_OUTPUT):
        return
    place = place_of(name or "")
    if place.is_file() and place.stat().st_size:
        raise UsageError(
            "The output file is there already",
            plain_line(str(place)),
            "Overwrite it (--force), or name another file.",
        )


def to_file(name: str | None, write: Callable[[BinaryIO], int]) -> int:
    """Write a file whole, or leave what stood there; standard output where none is named. A pipe
    or a device is written to as it is."""
    if name in (None, STANDARD_OUTPUT):
        return write(sys.stdout.buffer)
    place = place_of(name or "")
    try:
        if place.exists() and not (place.is_file() or place.is_dir()):
            with place.open("wb") as out:
                return write(out)
        handle, building = tempfile.mkstemp(prefix=f".{place.name}-", dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                count = write(out)
                out.flush()
                os.fsync(out.fileno())
            mask = os.umask(0)
            os.umask(mask)
            Path(building).chmod(0o666 & ~mask)
            Path(building).rename(place)
        except BaseException:
            Path(building).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(
            "The export cannot be written",
            f"{plain_line(str(place))}: {error.strerror or error}",
            "Name another file.",
        ) from error
    return count


def place_of(name: str) -> Path:
    place = expanded(name).absolute()
    if not place.name:
        raise UsageError("The export cannot be written", "It has no name.", "Name a file.")
    return place
