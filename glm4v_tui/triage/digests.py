"""The content of files, read once and remembered."""

from __future__ import annotations

import hashlib
import os
import time
from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from glm4v_tui.images.files import os_error, regular_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from glm4v_tui.store.files import Files, Remembered
    from glm4v_tui.triage.listing import Listing

_RACY_NS = 20_000_000
"""A file that was changed this short a time before it was read may be changed again without its
time telling: file systems count in ticks."""


class Content(NamedTuple):
    """What was read of a file."""

    status: os.stat_result
    """Of before it was read."""
    digest: str
    is_sure: bool
    """False where it may have been written to meanwhile without its time telling."""


def remembered(files: Files, path: Path) -> str | None:
    """The digest of a file that has not changed since it was read; None: it must be read.

    Raises:
        ImageError: nothing is there, or it may not be looked at.
        StoreError: the database cannot be read.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise os_error(path, error) from error
    return files.digest(path, status)


def digest_of(files: Files, path: Path) -> str:
    """The digest of a file as it is now; it is read only if it is not remembered.

    Raises:
        ImageError: it cannot be read.
        StoreError: the database cannot be used.
    """
    known = remembered(files, path)
    return known if known is not None else keep(files, path, read_content(path))


def read_content(path: Path) -> Content:
    """Read a file for its digest. Needs no database: for a thread.

    Raises:
        ImageError: it cannot be read.
    """
    with regular_file(path) as file:
        before = os.fstat(file.fileno())
        started = time.time_ns()
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        after = os.fstat(file.fileno())
    is_same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    return Content(before, digest, is_same and before.st_mtime_ns < started - _RACY_NS)


def keep(files: Files, path: Path, content: Content) -> str:
    """Remember what was read; its digest.

    Raises:
        StoreError: the database cannot be written.
    """
    files.remember(path, content.status, content.digest, is_sure=content.is_sure)
    return content.digest


def remembered_in(listing: Listing, files: Files) -> Iterator[tuple[int, Remembered]]:
    """What is remembered of the images of a listing, each with its number; the files are not read.

    Where nothing of a folder is known (it was renamed, or the task is private), the disk is asked
    for the inodes of its files.
    """
    strange = []
    for numbers, folder in _folders(listing):
        is_known = False
        by_name = {listing.names[index]: index for index in numbers}
        for file in files.in_folder(folder):
            if (index := by_name.get(file.name)) is not None:
                is_known = True
                yield index, file
        if not is_known:
            strange.append(numbers)
    yield from _by_inode(listing, files, strange)


def _folders(listing: Listing) -> Iterator[tuple[range, str]]:
    """The numbers of the images in each folder."""
    start = 0
    for number, folder in enumerate(listing.folders):
        end = bisect_right(listing.folder_of, number, lo=start)
        yield range(start, end), folder
        start = end


def _by_inode(
    listing: Listing, files: Files, chosen: Iterable[range]
) -> Iterator[tuple[int, Remembered]]:
    known = files.by_inode() if chosen else {}
    for numbers in chosen if known else ():
        for index in numbers:
            with suppress(OSError):
                status = os.stat(listing.name(index))  # noqa: PTH116 - 100,000 of them
                if (file := known.get((status.st_dev, status.st_ino))) is not None:
                    yield index, file
