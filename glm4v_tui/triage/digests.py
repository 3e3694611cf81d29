"""What a file's content is, without reading it again while size and time stay the same."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from glm4v_tui.errors import ImageError
from glm4v_tui.images import file_digest

if TYPE_CHECKING:
    from pathlib import Path

    from glm4v_tui.store.database import Database

Stamp = tuple[int, int]
"""Bytes and time of change (ns since 1970) of a file."""


class Digests:
    """Digests of files that were read before, in this process or an earlier one.

    Args:
        is_private: Nothing of where files lie is stored; they are read again by every process.
    """

    def __init__(self, database: Database, *, is_private: bool) -> None:
        self._database = database
        self._is_private = is_private
        self._held: dict[str, tuple[Stamp, str]] = {}

    def known(self, path: Path) -> str | None:
        """The SHA-256 of a file that is as it was when it was read; None where it is not known.

        Raises:
            StoreError: the database cannot be read.
        """
        if (stamp := stamp_of(path)) is None:
            return None
        name = os.fspath(path)
        held = self._held.get(name)
        if held is None and self._is_stored(name):
            rows = self._database.rows(
                "SELECT size, mtime_ns, digest FROM files WHERE path = ?", name
            )
            held = ((rows[0][0], rows[0][1]), rows[0][2]) if rows else None
        return held[1] if held is not None and held[0] == stamp else None

    def note(self, path: Path, stamp: Stamp, digest: str) -> None:
        """Keep what a file's content is.

        Args:
            stamp: Of before the file was read.

        Raises:
            StoreError: the database cannot be written.
        """
        name = os.fspath(path)
        if self._held.get(name) == (stamp, digest):
            return
        self._held[name] = (stamp, digest)
        if self._is_stored(name):
            with self._database.transaction() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO files (path, size, mtime_ns, digest)"
                    " VALUES (?, ?, ?, ?)",
                    (name, *stamp, digest),
                )

    def _is_stored(self, name: str) -> bool:
        """SQLite keeps text in UTF-8, which not every file name is."""
        return not self._is_private and _is_utf8(name)


def stamp_of(path: Path) -> Stamp | None:
    """Size and time of change; None of what is not there."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def read_digest(path: Path) -> tuple[Stamp, str]:
    """Read a file for its SHA-256. For a thread.

    Raises:
        ImageError: it cannot be read.
    """
    stamp = stamp_of(path) or (-1, -1)
    digest = file_digest(path)
    if stamp_of(path) != stamp:
        raise ImageError(
            "The image file is being written", "It changed while it was read.", "Ask again."
        )
    return stamp, digest


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
