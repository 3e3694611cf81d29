"""Open a file for reading pictures: only a regular one, without ever waiting, with plain errors."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from glm4v_tui.errors import (
    ImageError,
    ImageForbiddenError,
    ImageMissingError,
    ImageTooLargeError,
    NotAnImageError,
)
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

MAX_FILE_BYTES = 1 << 30

# A FIFO or a terminal must not make the open wait for its other end, nor become our terminal.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def regular_file(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file that has something in it.

    Raises:
        ImageMissingError: Nothing lies there.
        ImageForbiddenError: This user may not read it.
        NotAnImageError: A folder, pipe, socket or device, or an empty file.
        ImageTooLargeError: More bytes than any picture needs.
        ImageError: The disk or network failed.
    """
    try:
        _check(path, path.stat())  # before the open: opening a device can have effects
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        raise os_error(path, error) from error
    with os.fdopen(descriptor, "rb") as file:
        _check(path, os.fstat(descriptor))  # and after: it may be another file by now
        yield file


def _check(path: Path, status: os.stat_result) -> None:
    name = plain_line(str(path))
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        what = _KINDS.get(kind, "not a file")
        remedy = "Open it in the picker." if kind == stat.S_IFDIR else "Name an image file."
        raise NotAnImageError("Not an image", f"{name} is {what}.", remedy)
    if status.st_size == 0:
        raise NotAnImageError(
            "Not an image",
            f"{name} is empty (0 bytes).",
            "Copy it again; the transfer may have failed.",
        )
    if status.st_size > MAX_FILE_BYTES:
        raise ImageTooLargeError(
            "The image file is too large",
            f"{name} has {status.st_size / 1e9:.1f} GB; the limit is 1 GB.",
            "Save a smaller or cut-out version of it.",
        )


def os_error(path: Path, error: OSError | ValueError) -> ImageError:
    """Turn what the system said about a file into an error for the user."""
    name = plain_line(str(path))
    match getattr(error, "errno", errno.ENOENT):  # ValueError: a NUL in the name
        case errno.EACCES | errno.EPERM:
            return ImageForbiddenError(
                "No permission to read the image", _who_may_read(path), "Ask its owner, or copy it."
            )
        case errno.ENOENT | errno.ENOTDIR | errno.ELOOP | errno.ENAMETOOLONG:
            return ImageMissingError("No such image", *_missing(path))
        case _:
            reason = plain_line(getattr(error, "strerror", None) or str(error))
            return ImageError("The image could not be read", f"{name}: {reason}.", "Try again.")


def _missing(path: Path) -> tuple[str, str]:
    name = plain_line(str(path))
    if os.path.islink(path):  # noqa: PTH114 - takes any name, also one with a NUL
        target = plain_line(str(path.readlink()))
        return f"{name} is a link to {target}, which is not there.", "Repair the link."
    return (
        f"{name} does not exist on this host.",
        "Check the name. A file on another machine must be copied here first (scp).",
    )


def _who_may_read(path: Path) -> str:
    name = plain_line(str(path))
    try:
        status = path.stat()
    except OSError:
        return f"A folder on the way to {name} may not be entered."
    return f"{name} has the mode {stat.filemode(status.st_mode)} and belongs to {_owner(status)}."


def _owner(status: os.stat_result) -> str:
    import pwd

    try:
        return pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        return f"user {status.st_uid}"
