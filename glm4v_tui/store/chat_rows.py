"""Turns as rows: writing, indexing and reading one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.chat import Attachment
from glm4v_tui.store.chat_values import OVER, KeptTurn
from glm4v_tui.store.words import index_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence


def save_turn(run: sqlite3.Connection, chat: str, turn: KeptTurn) -> None:
    is_new = not run.execute("SELECT 1 FROM turns WHERE id = ?", (turn.id,)).fetchone()
    run.execute(
        """
        INSERT INTO turns (id, chat, parent, asked_at, question, call, is_private, state, raw,
            details) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET parent = excluded.parent, state = excluded.state,
            raw = excluded.raw, details = excluded.details
        """,
        (
            *(turn.id, chat, turn.parent, turn.asked_at, storable(turn.question), turn.call),
            *(turn.is_private, turn.state, storable(turn.raw), turn.details),
        ),
    )
    if is_new:
        _save_images(run, turn)
    if is_new or turn.state in OVER:
        _index(run, turn.id)


def _save_images(run: sqlite3.Connection, turn: KeptTurn) -> None:
    for position, image in enumerate(turn.attachments):
        if turn.is_private:
            _forget_path(run, image.digest)
        path = None if _is_private(run, turn, image.digest) else os.fsencode(image.path) or None
        facts = msgspec.to_builtins(image)
        del facts["path"], facts["digest"]
        run.execute(
            "INSERT INTO attachments VALUES (?, ?, ?, ?, ?)",
            (turn.id, position, image.digest, path, _json(facts)),
        )


def _is_private(run: sqlite3.Connection, turn: KeptTurn, digest: str) -> bool:
    """Whether a private task is or was asked about this image, in whichever chat."""
    asked = """SELECT 1 FROM attachments JOIN turns ON turns.id = attachments.turn
        WHERE attachments.digest = ? AND turns.is_private LIMIT 1"""
    return turn.is_private or run.execute(asked, (digest,)).fetchone() is not None


def _forget_path(run: sqlite3.Connection, digest: str) -> None:
    known = "SELECT turn FROM attachments WHERE digest = ? AND path IS NOT NULL"
    turns = [row["turn"] for row in run.execute(known, (digest,)).fetchall()]
    run.execute("UPDATE attachments SET path = NULL WHERE digest = ?", (digest,))
    for turn in turns:
        _index(run, turn)


def _index(run: sqlite3.Connection, turn: str) -> None:
    row = run.execute("SELECT number, question, raw FROM turns WHERE id = ?", (turn,)).fetchone()
    images = run.execute(
        "SELECT path FROM attachments WHERE turn = ? AND path IS NOT NULL", (turn,)
    ).fetchall()
    names = " ".join(Path(os.fsdecode(image["path"])).name for image in images)
    run.execute("DELETE FROM words WHERE rowid = ?", (row["number"],))
    run.execute(
        "INSERT INTO words (rowid, question, answer, names) VALUES (?, ?, ?, ?)",
        (row["number"], index_text(row["question"]), index_text(row["raw"]), index_text(names)),
    )


def interrupt(run: sqlite3.Connection, chat: str) -> None:
    unfinished = run.execute(
        f"SELECT id FROM turns WHERE chat = ? AND state NOT IN ({_marks(OVER)})", (chat, *OVER)
    ).fetchall()
    for row in unfinished:
        run.execute("UPDATE turns SET state = 'interrupted' WHERE id = ?", (row["id"],))
        _index(run, row["id"])


def _marks(values: frozenset[str]) -> str:
    return ", ".join("?" * len(values))


def turn_of(row: sqlite3.Row, images: Sequence[Attachment]) -> KeptTurn:
    return KeptTurn(
        id=row["id"],
        question=row["question"],
        attachments=tuple(images),
        parent=row["parent"],
        asked_at=row["asked_at"],
        call=row["call"],
        is_private=bool(row["is_private"]),
        state=row["state"],
        raw=row["raw"],
        details=row["details"],
    )


def attachment_of(row: sqlite3.Row) -> Attachment:
    facts: dict[str, Any] = msgspec.json.decode(row["facts"])
    path = os.fsdecode(row["path"]) if row["path"] is not None else ""
    return msgspec.convert({**facts, "path": path, "digest": row["digest"]}, Attachment)


def storable(text: str) -> str:
    """Text as SQLite takes it: bytes of file names that are no UTF-8 have no place in words."""
    return text.encode("utf-8", "replace").decode()


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
