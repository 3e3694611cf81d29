"""Opening the database: one file, several processes, nothing acknowledged is ever lost.

SQLite in WAL mode with ``synchronous=FULL``: a transaction that has returned is on the disk. Every
process has one connection that writes; SQLite itself puts the writers of several processes in a
queue. On a network disk the memory that WAL shares between processes does not reach other hosts,
so that there a rollback journal takes its place.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from glm4v_tui import paths
from glm4v_tui.errors import StoreError
from glm4v_tui.plain import plain_line
from glm4v_tui.store.failures import explained, is_busy
from glm4v_tui.store.file_system import is_network, knows_locks, make_private
from glm4v_tui.store.migrations import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BUSY_S = 10.0
"""How long a writer waits for another process's transaction."""
_ATTEMPT_S = 0.5


class Database:
    """One connection that writes, and as many that read as threads do at once.

    Any thread may call any method: transactions wait for each other, and a thread that reads
    sees what was committed, or inside its own transaction what that has done so far.

    Raises (every method):
        StoreError: the file cannot be read or written; says what to do.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.database_file()
        self._writing = threading.RLock()
        self._writer: int | None = None
        """The thread in whose transaction we are."""
        self._readers: list[sqlite3.Connection] = []
        """Those that nobody reads with now."""
        with self._explained():
            make_private(self.path)
            self._connection = self._connect()
            try:
                _patiently(self.path, self._prepare)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Let go of the file. No other thread may be in a method."""
        while self._readers:
            self._readers.pop().close()
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything in the block, or nothing of it; on the disk when the block is left."""
        with self._writing, self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            self._writer = threading.get_ident()
            try:
                yield self._connection
                self._connection.commit()
            except BaseException:
                # what failed may have rolled back already, and rolling back may fail as well
                with suppress(sqlite3.Error):
                    self._connection.rollback()
                raise
            finally:
                self._writer = None

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """What a query finds."""
        with (
            self._explained(),
            self._reader() as reader,
            closing(reader.execute(query, values)) as cursor,
        ):
            return cursor.fetchall()

    # Connections ------------------------------------------------------------------------------

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        if self._writer == threading.get_ident():
            yield self._connection
            return
        try:
            reader = self._readers.pop()
        except IndexError:
            reader = self._connect()
            reader.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")
            reader.execute("PRAGMA query_only = ON")
        try:
            yield reader
        finally:
            self._readers.append(reader)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_ATTEMPT_S, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _prepare(self) -> None:
        run = self._connection.execute
        wanted = "DELETE" if is_network(self.path.parent) else "WAL"
        mode = run(f"PRAGMA journal_mode = {wanted}").fetchone()[0]
        # EXTRA: also the folder, in which the end of a journal is what commits
        run(f"PRAGMA synchronous = {'FULL' if mode == 'wal' else 'EXTRA'}")
        run("PRAGMA fullfsync = ON")  # macOS: through the disk's own cache as well
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA secure_delete = ON")
        _migrate(self._connection, self.path)
        run(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What SQLite and the system raise, as the error of this program."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise explained(self.path, error) from error


def _patiently(path: Path, work: Callable[[], None]) -> None:
    """Work that other processes may be in the way of: some of it SQLite itself does not wait for.

    Raises:
        sqlite3.Error: it failed, or others were in the way for :data:`BUSY_S`.
    """
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline or not knows_locks(path.parent):
                raise
        time.sleep(0.01)


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
        try:
            version = _version(connection)  # another process may have been faster
            if version < len(MIGRATIONS):
                for statement in MIGRATIONS[version]:
                    connection.execute(statement)
                version += 1
                connection.execute(f"PRAGMA user_version = {version}")
            connection.commit()
        except BaseException:
            with suppress(sqlite3.Error):
                connection.rollback()
            raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
