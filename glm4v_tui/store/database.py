"""Opening the database: one file, several processes, nothing acknowledged is ever lost.

SQLite in WAL mode with ``synchronous=FULL``: a transaction that has returned is on the disk. Every
process has one connection that writes; SQLite itself puts the writers of several processes in a
queue. On a network disk the memory that WAL shares between processes does not reach other hosts,
so that there a rollback journal takes its place.

Where nothing may be written, what was stored can still be read: beside a file in WAL mode SQLite
wants to make two others, which it leaves alone only if the file is said to be immutable
(sqlite.org/wal.html, "Read-Only Databases"). That is said only where no ``-wal`` is there: with
one, the file by itself is not the whole of what was stored.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from glm4v_tui import paths
from glm4v_tui.errors import StoreError
from glm4v_tui.plain import plain_line
from glm4v_tui.store.failures import explained, is_busy, is_forbidden
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

    Args:
        path: None for the user's own.
        may_read_only: Open a file that cannot be written, for reading; else that is an error.

    Raises (every method):
        StoreError: the file cannot be read or written; says what to do.
    """

    def __init__(self, path: Path | None = None, *, may_read_only: bool = False) -> None:
        self.path = path or paths.database_file()
        self._mode = ""
        """Parameters of the URI that SQLite opens; empty: to read and write."""
        self._writing = threading.RLock()
        self._writer: int | None = None
        """The thread in whose transaction we are."""
        self._readers: list[sqlite3.Connection] = []
        """Those that nobody reads with now."""
        with self._explained():
            try:
                make_private(self.path)
                self._connection = self._opened(self._prepare)
            except (sqlite3.Error, OSError) as error:
                if not (may_read_only and is_forbidden(error)):
                    raise
                self._connection = self._opened_to_read(error)
        self.is_read_only = bool(self._mode) or not os.access(self.path, os.W_OK)
        """Nothing could be kept when it was opened: every transaction will fail."""

    def close(self) -> None:
        """Let go of the file, after a transaction that is under way. No other thread may read."""
        with self._writing:
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
        name = f"{self.path.absolute().as_uri()}?{self._mode}" if self._mode else self.path
        connection = sqlite3.connect(
            name,
            timeout=_ATTEMPT_S,
            isolation_level=None,
            check_same_thread=False,
            uri=bool(self._mode),
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _opened(self, prepare: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
        connection = self._connect()
        try:
            _patiently(self.path, lambda: prepare(connection))
        except BaseException:
            connection.close()
            raise
        return connection

    def _opened_to_read(self, error: Exception) -> sqlite3.Connection:
        """Raises ``error`` where the file cannot be read either."""
        wal = self.path.with_name(f"{self.path.name}-wal")
        is_whole = not wal.exists() or not wal.stat().st_size
        for mode in ("mode=ro", "mode=ro&immutable=1") if is_whole else ("mode=ro",):
            self._mode = mode
            try:
                return self._opened(self._require_current)
            except sqlite3.Error as again:
                if not is_forbidden(again):
                    raise
        raise error

    def _require_current(self, connection: sqlite3.Connection) -> None:
        if _version(connection) < len(MIGRATIONS):
            raise StoreError(
                "The database is from an older version of this program",
                f"{plain_line(str(self.path))} cannot be written, so it cannot be brought up to"
                " date.",
                "Copy it into a folder that can be written, and set GLM4V_TUI_HOME to that.",
            )
        _migrate(connection, self.path)  # of a newer version it says so

    def _prepare(self, connection: sqlite3.Connection) -> None:
        run = connection.execute
        wanted = "DELETE" if is_network(self.path.parent) else "WAL"
        mode = run(f"PRAGMA journal_mode = {wanted}").fetchone()[0]
        # EXTRA: also the folder, in which the end of a journal is what commits
        run(f"PRAGMA synchronous = {'FULL' if mode == 'wal' else 'EXTRA'}")
        run("PRAGMA fullfsync = ON")  # macOS: through the disk's own cache as well
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA secure_delete = ON")
        _migrate(connection, self.path)
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
