"""Verdicts of reviewers: events that are only ever added, and what they come to for an image.

They come to something for each reviewer by himself: nobody's verdict takes the place of another's.

An image is the content of a file: what is renamed or copied keeps its verdict. Every method that
adds something returns when it is on the disk.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.store.verdict import NO_VERDICT, Event, Past, Verdict, after, past

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping

    from glm4v_tui.store.database import Database

__all__ = ["NO_VERDICT", "Done", "Event", "Past", "Verdict", "Verdicts"]

_PAGE = 5_000
_STANDING = """
    SELECT v.* FROM verdicts v WHERE v.task = ? AND v.kind != 'undo'
    AND NOT EXISTS (SELECT 1 FROM verdicts u WHERE u.cancels = v.id)
"""
"""Events that nobody has taken back."""
_IN_TURN = _STANDING.replace("v.task", "+v.task")
"""The same to be read in the order of ids: the plus keeps SQLite from the index and a sort."""


class Done(msgspec.Struct, frozen=True):
    """An event in the store."""

    id: int
    digest: str
    kind: str
    path: Path | None


class Verdicts:
    """The verdicts on one task, and the pen of one reviewer.

    Args:
        task: Its name.
        reviewer: Who gives verdicts here.
        session: This run of the program; another for every run.
        is_private: Keep no paths.

    Raises (every method): StoreError.
    """

    def __init__(
        self,
        database: Database,
        task: str,
        *,
        reviewer: str = "",
        session: str = "",
        is_private: bool = False,
    ) -> None:
        self._database = database
        self._task = task
        self._reviewer = reviewer
        self._session = session
        self._is_private = is_private

    # Adding -------------------------------------------------------------------------------------

    def add(self, events: Iterable[Event]) -> list[int]:
        """All of the events or none; their ids."""
        with self._database.transaction() as connection:
            return [self._insert(connection, event) for event in events]

    def _insert(self, connection: sqlite3.Connection, event: Event) -> int:
        path = None if event.path is None or self._is_private else os.fsencode(event.path)
        cursor = connection.execute(
            """INSERT INTO verdicts (at, session, reviewer, task, digest, path, kind, label, note,
            model_label, probability, is_automatic, seconds)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                *(time.time(), self._session, self._reviewer, self._task, event.digest, path),
                *(event.kind, event.label, event.note, event.model_label, event.probability),
                *(event.is_automatic, event.seconds),
            ),
        )
        return int(cursor.lastrowid or 0)

    def undo(self, ids: Iterable[int]) -> list[int]:
        """Take events of this reviewer back; those that were still there to take back."""
        undone = []
        with self._database.transaction() as connection:
            for id_ in ids:
                cursor = connection.execute(
                    """INSERT OR IGNORE INTO verdicts
                    (at, session, reviewer, task, digest, kind, cancels)
                    SELECT ?, ?, ?, task, digest, 'undo', id FROM verdicts
                    WHERE id = ? AND task = ? AND reviewer = ? AND kind != 'undo'""",
                    (
                        *(time.time(), self._session, self._reviewer),
                        *(id_, self._task, self._reviewer),
                    ),
                )
                if cursor.rowcount == 1:
                    undone.append(id_)
        return undone

    # Looking ------------------------------------------------------------------------------------

    def of(self, digest: str) -> Verdict:
        """What holds for an image now, as far as this reviewer goes."""
        return self.of_each(digest).get(self._reviewer, NO_VERDICT)

    def of_each(self, digest: str) -> dict[str, Verdict]:
        """What holds for an image now, by reviewer."""
        rows = self._database.rows(
            f"{_STANDING} AND v.digest = ? ORDER BY v.id", self._task, digest
        )
        found: dict[str, Verdict] = {}
        for row in rows:
            found[row["reviewer"]] = after(found.get(row["reviewer"], NO_VERDICT), row)
        return found

    def by_reviewer(self) -> dict[str, dict[str, Verdict]]:
        """What holds for every image that somebody has said something of, by reviewer and then by
        digest."""
        found: dict[str, dict[str, Verdict]] = {}
        for row in self._pages(f"{_IN_TURN} AND v.id > ? ORDER BY v.id LIMIT ?"):
            own = found.setdefault(row["reviewer"], {})
            own[row["digest"]] = after(own.get(row["digest"], NO_VERDICT), row)
        return found

    def history(self) -> Iterator[Past]:
        """Everything that anybody has done, in its order, also what was taken back."""
        query = "SELECT * FROM verdicts v WHERE +v.task = ? AND v.id > ? ORDER BY v.id LIMIT ?"
        return map(past, self._pages(query))

    def _pages(self, query: str) -> Iterator[sqlite3.Row]:
        last = 0
        while rows := self._database.rows(query, self._task, last, _PAGE):
            yield from rows
            last = rows[-1]["id"]

    def last_id(self) -> int:
        """Of the newest event, of any task."""
        return int(self._database.rows("SELECT coalesce(max(id), 0) FROM verdicts")[0][0])

    def changed_since(self, id_: int) -> dict[str, Path | None]:
        """The images that something happened to after an event: digests, and where they lay."""
        rows = self._database.rows(
            "SELECT digest, path FROM verdicts WHERE id > ? AND task = ? ORDER BY id",
            id_,
            self._task,
        )
        return {row["digest"]: _path(row["path"]) if row["path"] else None for row in rows}

    def to_undo(self, before: int) -> Iterator[Done]:
        """What this reviewer may take back, the newest first: what he did in this session, then
        what he did before it. Automatic verdicts are taken back together, and are not among them.

        Args:
            before: The newest event when this session began; what other sessions did since then
                is theirs.
        """
        for query, values in (
            ("AND v.reviewer = ? AND v.session = ?", (self._reviewer, self._session)),
            ("AND v.reviewer = ? AND v.session != ? AND v.id <= ?",
             (self._reviewer, self._session, before)),
        ):  # fmt: skip
            yield from self._undoable(query, values)

    def _undoable(self, where: str, values: tuple[object, ...]) -> Iterator[Done]:
        last = 1 << 62
        query = (
            f"{_IN_TURN} AND NOT v.is_automatic {where} AND v.id < ? ORDER BY v.id DESC LIMIT 50"
        )
        while rows := self._database.rows(query, self._task, *values, last):
            yield from map(_done, rows)
            last = rows[-1]["id"]

    def automatic(self) -> list[Done]:
        """Automatic labels of this reviewer's that stand: not taken back, and he has decided
        nothing since."""
        rows = self._database.rows(
            f"""{_STANDING} AND v.reviewer = ? AND v.is_automatic AND v.kind = 'label'
            AND NOT EXISTS (
            SELECT 1 FROM verdicts later WHERE later.task = v.task AND later.digest = v.digest
            AND later.reviewer = v.reviewer AND later.id > v.id AND later.kind IN ('label', 'skip')
            AND NOT EXISTS (SELECT 1 FROM verdicts u WHERE u.cancels = later.id)) ORDER BY v.id""",
            *(self._task, self._reviewer),
        )
        return [_done(row) for row in rows]

    def paths(self) -> Mapping[str, Path]:
        """Where each image was when something was last said of it; nothing for private tasks."""
        rows = self._database.rows(
            "SELECT digest, path FROM verdicts WHERE task = ? AND path IS NOT NULL ORDER BY id",
            self._task,
        )
        return {row["digest"]: _path(row["path"]) for row in rows}


def _done(row: sqlite3.Row) -> Done:
    return Done(row["id"], row["digest"], row["kind"], _path(row["path"]) if row["path"] else None)


def _path(data: bytes) -> Path:
    return Path(os.fsdecode(data))
