"""Opening the database: one file, several processes, nothing acknowledged is ever lost.

SQLite in WAL mode with ``synchronous=FULL``: a transaction that has returned is on the disk. Every
process has one connection that writes; SQLite itself puts the writers of several processes in a
queue.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from glm4v_tui import paths
from glm4v_tui.errors import StoreError
from glm4v_tui.plain import plain_line
from glm4v_tui.store.migrations import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_S = 10.0
"""How long a writer waits for another process's transaction."""


class Database:
    """One connection. For one thread at a time; threads that read open their own.

    Raises (every method):
        StoreError: the file cannot be read or written; says what to do.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.database_file()
        with _explained(self.path):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._prepare()

    def _prepare(self) -> None:
        self._connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        _migrate(self._connection, self.path)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything in the block, or nothing of it; on the disk when the block is left."""
        with _explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """What a query finds."""
        with _explained(self.path), closing(self._connection.execute(query, values)) as cursor:
            return cursor.fetchall()


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring an older file up to date, each step whole or not at all."""
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise StoreError(
            "The database is from a newer version of this program",
            f"{plain_line(str(path))} has schema {version}; this version knows {len(MIGRATIONS)}.",
            "Update glm4v-tui, or set GLM4V_TUI_HOME to another folder for this version.",
        )
    while version < len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        version = _version(connection)  # another process may have been faster
        if version < len(MIGRATIONS):
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
            version += 1
            connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What SQLite and the system raise, as the error of this program."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            "The database cannot be used",
            f"{plain_line(str(path))}: {plain_line(str(error))}",
            "Make room on the disk, or see to it that the folder can be written.",
        ) from error
