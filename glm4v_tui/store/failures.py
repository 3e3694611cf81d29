"""What SQLite and the system say when the database fails, in words that say what to do."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from glm4v_tui.errors import StoreError
from glm4v_tui.plain import plain_line
from glm4v_tui.store.file_system import knows_locks

if TYPE_CHECKING:
    from pathlib import Path

_FULL = {sqlite3.SQLITE_FULL}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FORBIDDEN = {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
}
_ELSEWHERE = "set GLM4V_TUI_HOME to a folder on a local disk that can be written"


def code_of(error: BaseException) -> int | None:
    """SQLite's primary result code; None for an error that has none."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def is_busy(error: BaseException) -> bool:
    return code_of(error) in _BUSY


def is_forbidden(error: BaseException) -> bool:
    """Whether the file or its folder may not be written, or not be opened at all."""
    return isinstance(error, OSError) or code_of(error) in _FORBIDDEN


def explained(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """The error of this program for what SQLite or the system raised about this file."""
    name, said = plain_line(str(path)), plain_line(_words(error))
    code = code_of(error)
    if code in _FULL:
        return StoreError(
            "The disk is full",
            f"{name}: nothing more can be written. What was stored before is safe.",
            "Make room on the disk.",
        )
    if code in _DAMAGED:
        return StoreError(
            "The database is damaged",
            f"{name}: {said}.",
            "Move it away, with the files of the same name that end in -wal and -shm: a new one is "
            "begun then. `sqlite3 FILE .recover` gets back what can still be read.",
        )
    if code in _BUSY and not knows_locks(path.parent):
        return StoreError(
            "The database needs a file system with locks",
            f"{name}: files in this folder cannot be locked, as on some network disks.",
            f"Have locks turned on for it, or {_ELSEWHERE}.",
        )
    if code in _BUSY:
        return StoreError(
            "Another program holds the database",
            f"{name}: {said}.",
            f"Wait for it, or end it (`fuser {name}` tells its number), and try again.",
        )
    if code in _FORBIDDEN or isinstance(error, OSError):
        return StoreError(
            "The database cannot be opened or written",
            f"{name}: {said}.",
            f"See to it that you may write to the file and its folder, or {_ELSEWHERE}.",
        )
    return StoreError(
        "The database cannot be used",
        f"{name}: {said}.",
        "Check the disk (`dmesg` tells of faults) and the room on it.",
    )


def _words(error: sqlite3.Error | OSError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    name = getattr(error, "sqlite_errorname", "")
    return f"{error} ({name})" if name else str(error)
