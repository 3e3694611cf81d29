"""What a file's content was when it was last read, so that nothing is read twice to know it.

A file is told by its place, with size and time of change: by its path, and by device and inode,
which it keeps when it is renamed. For private tasks no path is kept.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from glm4v_tui.store.database import Database

_PAGE = 5_000
_INODE, _INODE_END = b"inode:", b"inode;"  # an absolute path begins with a slash


class Remembered(NamedTuple):
    """A file as it was when it was read."""

    name: str
    size: int
    mtime_ns: int
    digest: str


class Files:
    """Digests of files, SHA-256 in hexadecimal.

    Raises (every method): StoreError.
    """

    def __init__(self, database: Database, *, is_private: bool = False) -> None:
        self._database = database
        self._is_private = is_private

    def digest(self, path: Path, status: os.stat_result) -> str | None:
        """Of the file that has this status now; None where that is not known."""
        places = self._places(path, status)
        rows = self._database.rows(
            "SELECT digest FROM files WHERE place IN (?, ?) AND size = ? AND mtime_ns = ?",
            *(places[0], places[-1], status.st_size, status.st_mtime_ns),
        )
        return str(rows[0]["digest"]) if rows else None

    def remember(
        self, path: Path, status: os.stat_result, digest: str, *, is_sure: bool = True
    ) -> None:
        """Keep what was read; nothing where the database cannot be written.

        Args:
            path: Absolute.
            status: Of the file, taken before it was read.
            digest: Of what was read.
            is_sure: False where it may have been written to meanwhile without its time telling.
        """
        if self._database.is_read_only:
            return
        mtime_ns = status.st_mtime_ns if is_sure else 0
        rows = [(place, status.st_size, mtime_ns, digest) for place in self._places(path, status)]
        with self._database.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)

    def _places(self, path: Path, status: os.stat_result) -> tuple[bytes, ...]:
        inode = b"%s%d:%d" % (_INODE, status.st_dev, status.st_ino)
        return (inode,) if self._is_private else (os.fsencode(path), inode)

    def in_folder(self, folder: str) -> Iterator[Remembered]:
        """The files of a folder by their names, as they were when they were read.

        They may have changed since. Nothing for a private task.
        """
        if self._is_private:
            return
        start = os.path.join(os.fsencode(folder), b"")  # noqa: PTH118 - with the slash at its end
        length = len(start)
        for place, size, mtime_ns, digest in self._between(start, start[:-1] + b"0"):  # after "/"
            if b"/" not in (name := place[length:]):
                yield Remembered(os.fsdecode(name), size, mtime_ns, digest)

    def by_inode(self) -> dict[tuple[int, int], Remembered]:
        """All files by device and inode; without their names. Some 40 MB for 100,000."""
        found: dict[tuple[int, int], Remembered] = {}
        length = len(_INODE)
        for place, size, mtime_ns, digest in self._between(_INODE, _INODE_END):
            device, _, inode = place[length:].partition(b":")
            found[int(device), int(inode)] = Remembered("", size, mtime_ns, digest)
        return found

    def _between(self, first: bytes, end: bytes) -> Iterator[sqlite3.Row]:
        query = (
            "SELECT place, size, mtime_ns, digest FROM files WHERE place > ? AND place < ?"
            " ORDER BY place LIMIT ?"
        )
        while rows := self._database.rows(query, first, end, _PAGE):
            yield from rows
            first = rows[-1][0]
