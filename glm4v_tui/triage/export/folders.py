"""Images sorted into folders by their label, as links or copies. Nothing is ever moved."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.errors import UsageError
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from glm4v_tui.triage.export.rows import Row

_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]|^\.+|^$")


def write_folders(rows: Iterable[Row], out: Path, *, copies: bool = False) -> int:
    """Make ``out/LABEL/NAME`` of every labeled image; how many.

    The folder appears when all of it is there, or not at all.

    Args:
        out: Must not be there yet, or be empty.
        copies: Copy the files; else they are linked (symbolic links to their absolute paths).

    Raises:
        UsageError: something lies in ``out``, or it cannot be written.
    """
    check_empty(out)
    try:
        building = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            count = _fill(building, rows, copies=copies)
            building.chmod(0o777 & ~_umask())
            building.rename(out)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
    except OSError as error:
        raise _unwritable(out, error.strerror or str(error)) from error
    return count


def check_empty(out: Path) -> None:
    """Refuse a place that is taken.

    Raises:
        UsageError: something lies there.
    """
    if out.is_dir():
        if any(out.iterdir()):
            raise _unwritable(out, "it is not empty")
    elif os.path.lexists(out):
        raise _unwritable(out, "a file has this name")
    if not out.parent.is_dir():
        raise _unwritable(out, "the folder around it is not there")


def _fill(folder: Path, rows: Iterable[Row], *, copies: bool) -> int:
    count = 0
    taken: set[str] = set()
    for row in rows:
        if row.verdict.label is None:
            continue
        place = folder / folder_name(row.verdict.label)
        place.mkdir(exist_ok=True)
        target = place / _free_name(row, place.name, taken)
        if copies:
            shutil.copy2(row.path, target)
        else:
            target.symlink_to(row.path)
        count += 1
    return count


def folder_name(label: str) -> str:
    """A label as the name of a folder: no other folder can be meant by it."""
    return _UNSAFE.sub("_", label)


def _free_name(row: Row, folder: str, taken: set[str]) -> str:
    """The file's own name; with a part of its digest where another folder had one of that name.

    Names that differ only by case count as the same: on some disks they are.
    """
    name, number = row.path.name, 0
    while f"{folder}/{name}".casefold() in taken:
        mark = row.digest[:12] if number == 0 else f"{row.digest[:12]}-{number}"
        name, number = f"{row.path.stem}~{mark}{row.path.suffix}", number + 1
    taken.add(f"{folder}/{name}".casefold())
    return name


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _unwritable(out: Path, reason: str) -> UsageError:
    return UsageError(
        "The folders cannot be written",
        f"{plain_line(str(out))}: {reason}.",
        "Name a folder that is not there yet.",
    )
