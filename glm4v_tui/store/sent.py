"""The record of what was sent where, which hosts may be sent images, and which images must stay."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from glm4v_tui.store.database import Database


UNNAMED_TASK = "of a chat"
"""Stands for a private task whose name was not kept with its image, as with a question in free
words; no settings allow a task of this name."""


class SentImage(msgspec.Struct, frozen=True):
    """An image that was sent."""

    host: str
    engine: str
    """Its name in the settings."""
    model: str
    source: str
    """SHA-256 of the file that the pixels are from, hexadecimal."""
    digest: str
    """SHA-256 of the bytes that were sent."""
    width: int
    height: int
    size: int
    """Bytes."""
    at: float = 0.0
    """Seconds since 1970; set when it is noted."""


class Sent:
    """All three, in the database. Usable from any thread.

    Every method raises ``StoreError`` where the database cannot be read or written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, images: Sequence[SentImage]) -> None:
        """Keep that these are sent now; on the disk when it returns."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO sent (at, host, engine, model, source, digest, width, height, bytes)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(time.time(), one.host, one.engine, one.model, one.source, one.digest),
                        *(one.width, one.height, one.size),
                    )
                    for one in images
                ],
            )

    def all(self, source: str | None = None) -> list[SentImage]:
        """What was sent, oldest first: of one file by its SHA-256, or everything."""
        rows = self._database.rows(
            "SELECT host, engine, model, source, digest, width, height, bytes, at FROM sent"
            " WHERE ? IS NULL OR source = ? ORDER BY id",
            *(source, source),
        )
        return [SentImage(*row) for row in rows]

    def is_allowed(self, host: str) -> bool:
        """Whether the user has said that images may go there."""
        return bool(self._database.rows("SELECT 1 FROM consents WHERE host = ?", host))

    def allow(self, host: str) -> None:
        """Keep that images may go there from now on."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO consents (host, at) VALUES (?, ?)", (host, time.time())
            )

    def forbid(self, host: str) -> bool:
        """Ask again before the next image goes there; False where none might."""
        with self._database.transaction() as connection:
            return connection.execute("DELETE FROM consents WHERE host = ?", (host,)).rowcount > 0

    def allowed(self) -> list[str]:
        """All such hosts."""
        return [row[0] for row in self._database.rows("SELECT host FROM consents ORDER BY host")]

    def keep_private(self, digests: Collection[str], task: str) -> None:
        """Keep that a private task was asked about these files."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO private_images (digest, task) VALUES (?, ?)",
                [(digest, task) for digest in digests],
            )

    def private_task_of(self, digest: str) -> str:
        """The private task that was asked about a file, in whichever chat, batch or review; empty
        where there was none."""
        named = self._database.rows("SELECT task FROM private_images WHERE digest = ?", digest)
        if named:
            return str(named[0][0])
        kept = self._database.rows(
            "SELECT 1 FROM attachments JOIN turns ON turns.id = attachments.turn"
            " WHERE attachments.digest = ? AND turns.is_private LIMIT 1",
            digest,
        )
        return UNNAMED_TASK if kept else ""
