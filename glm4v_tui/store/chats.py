"""Conversations in the database. Every method is one transaction, on the disk when it returns."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.store.chat_rows import attachment_of, interrupt, save_turn, storable, turn_of
from glm4v_tui.store.chat_values import Hit, KeptChat, KeptTurn
from glm4v_tui.store.words import index_query

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glm4v_tui.chat import Attachment
    from glm4v_tui.store.database import Database

KEPT_DELETED_S = 7 * 24 * 3600.0
"""How long a deleted chat can be brought back."""

_CHAT = """
    SELECT chats.*, (SELECT count(*) FROM turns WHERE turns.chat = chats.id) AS turns FROM chats
"""
_PATH = """
    WITH RECURSIVE path (id, depth) AS (
        SELECT ?, 0
        UNION ALL
        SELECT turns.parent, depth + 1 FROM path JOIN turns ON turns.id = path.id
        WHERE turns.parent IS NOT NULL AND depth < 1000000
    )
"""


class Chats:
    """Raises (every method):
    StoreError: the database cannot be read or written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # Writing ----------------------------------------------------------------------------------

    def save(
        self,
        chat: str,
        title: str,
        head: str | None,
        turns: Sequence[KeptTurn],
        owner: str | None = None,
    ) -> None:
        """Write what is new of a chat: its last turn, and turns that are new or have changed.

        With such turns a chat that was deleted meanwhile is there again.

        Args:
            title: Taken unless the user has given one; "" leaves what is there.
        """
        now, title = time.time(), storable(title)
        with self._database.transaction() as run:
            known = run.execute(
                """
                UPDATE chats SET
                    changed_at = iif(? OR head IS NOT ?, ?, changed_at),
                    deleted_at = iif(?, NULL, deleted_at),
                    title = iif(is_named OR ? = '', title, ?), head = ?, owner = ?
                WHERE id = ?
                """,
                (bool(turns), head, now, bool(turns), title, title, head, owner, chat),
            ).rowcount
            if not known:  # an upsert would use up a number each time
                run.execute(
                    "INSERT INTO chats (id, made_at, changed_at, title, head, owner)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (chat, now, now, title, head, owner),
                )
            for turn in turns:
                save_turn(run, chat, turn)

    def rename(self, chat: str, title: str) -> None:
        with self._database.transaction() as run:
            run.execute(
                "UPDATE chats SET title = ?, is_named = 1 WHERE id = ?", (storable(title), chat)
            )

    def delete(self, chat: str) -> None:
        """Take it out of the list; for :data:`KEPT_DELETED_S` it can be restored."""
        with self._database.transaction() as run:
            run.execute("UPDATE chats SET deleted_at = ? WHERE id = ?", (time.time(), chat))

    def restore(self, chat: str) -> None:
        with self._database.transaction() as run:
            run.execute("UPDATE chats SET deleted_at = NULL WHERE id = ?", (chat,))

    def erase(self, chat: str) -> None:
        """Delete it for good."""
        with self._database.transaction() as run:
            run.execute("DELETE FROM chats WHERE id = ?", (chat,))

    def erase_old(self) -> None:
        """Erase what was deleted long ago."""
        with self._database.transaction() as run:
            run.execute("DELETE FROM chats WHERE deleted_at < ?", (time.time() - KEPT_DELETED_S,))

    def branch(self, turn: str) -> KeptChat:
        """A new chat that begins as the conversation up to this turn did.

        It has turns of its own: what becomes of either chat does not touch the other.

        Raises:
            LookupError: there is no such turn.
        """
        turns = self.path_to(turn)
        if not turns:
            raise LookupError(turn)
        found = self._database.rows(
            "SELECT title FROM chats JOIN turns ON turns.chat = chats.id WHERE turns.id = ?", turn
        )
        new, parent, copies = uuid.uuid4().hex, None, []
        for one in turns:
            copies.append(msgspec.structs.replace(one, id=uuid.uuid4().hex, parent=parent))
            parent = copies[-1].id
        self.save(new, found[0]["title"], parent, copies)
        return self._chats("WHERE id = ?", new)[0]

    # Who has what open ------------------------------------------------------------------------

    def hold(self, chat: str, owner: str | None) -> None:
        """Note which process has the chat open; None when it lets go."""
        with self._database.transaction() as run:
            run.execute("UPDATE chats SET owner = ? WHERE id = ?", (owner, chat))

    def release(self, owner: str) -> None:
        """The process ends, in order; what was being answered is not answered any more."""
        for chat in self._chats("WHERE owner = ?", owner):
            with self._database.transaction() as run:
                interrupt(run, chat.id)
                run.execute("UPDATE chats SET owner = NULL WHERE id = ?", (chat.id,))

    def take_from_the_dead(self, is_alive: Callable[[str], bool]) -> KeptChat | None:
        """Free the chats of processes that ended without a word.

        Returns:
            The one that was changed last.
        """
        left = self.settle(is_alive)
        for owner in {chat.owner for chat in left}:
            self.release(owner or "")
        there = [chat for chat in left if chat.deleted_at is None and chat.head is not None]
        return max(there, key=lambda chat: chat.changed_at, default=None)

    def settle(self, is_alive: Callable[[str], bool]) -> list[KeptChat]:
        """End what dead processes were asking: nobody answers it any more, and it can be found.

        Returns:
            Their chats.
        """
        owners = {row["owner"] for row in self._database.rows("SELECT owner FROM chats")}
        dead = [owner for owner in owners if owner is not None and not is_alive(owner)]
        left = [chat for owner in dead for chat in self._chats("WHERE owner = ?", owner)]
        for chat in left:
            with self._database.transaction() as run:
                interrupt(run, chat.id)
        return left

    # Reading ----------------------------------------------------------------------------------

    def all(self, *, deleted: bool = False) -> list[KeptChat]:
        """Newest first; those with turns only."""
        state = "IS NOT NULL" if deleted else "IS NULL"
        chats = self._chats(f"WHERE deleted_at {state} ORDER BY changed_at DESC, number DESC")
        return [chat for chat in chats if chat.turns]

    def get(self, number: int) -> KeptChat | None:
        """The chat with this number, also a deleted one."""
        return next(iter(self._chats("WHERE number = ?", number)), None)

    def turns_of(self, chat: KeptChat) -> list[KeptTurn]:
        """The conversation, oldest first."""
        return self.path_to(chat.head) if chat.head else []

    def conversation_with(self, chat: KeptChat, turn: str) -> list[KeptTurn]:
        """The conversation, if this turn is in it; else the branch that the turn is on."""
        turns = self.turns_of(chat)
        if any(one.id == turn for one in turns):
            return turns
        last = turn
        newest = "SELECT id FROM turns WHERE parent = ? ORDER BY number DESC LIMIT 1"
        seen = {last}
        while (rows := self._database.rows(newest, last)) and rows[0]["id"] not in seen:
            last = rows[0]["id"]
            seen.add(last)
        return self.path_to(last)

    def path_to(self, turn: str) -> list[KeptTurn]:
        """A turn and those before it, oldest first."""
        rows = self._database.rows(
            f"{_PATH} SELECT turns.* FROM path JOIN turns USING (id) ORDER BY depth DESC", turn
        )
        images: dict[str, list[Attachment]] = {}
        for row in self._database.rows(
            f"""{_PATH} SELECT attachments.* FROM path
            JOIN attachments ON attachments.turn = path.id ORDER BY turn, position""",
            turn,
        ):
            images.setdefault(row["turn"], []).append(attachment_of(row))
        return [turn_of(row, images.get(row["id"], [])) for row in rows]

    def search(self, wanted: str, limit: int = 200) -> list[Hit]:
        """Turns with all these words (or beginnings of words) in them, newest first."""
        if not (query := index_query(wanted)):
            return []
        rows = self._database.rows(
            """
            SELECT turns.id AS turn, turns.question, turns.raw, names, turns.chat
            FROM words JOIN turns ON turns.number = words.rowid
            JOIN chats ON chats.id = turns.chat
            WHERE words MATCH ? AND chats.deleted_at IS NULL
            ORDER BY turns.asked_at DESC LIMIT ?
            """,
            query,
            limit,
        )
        wanted_chats = {row["chat"] for row in rows}
        chats = {name: self._chats("WHERE id = ?", name)[0] for name in wanted_chats}
        return [
            Hit(chats[row["chat"]], row["turn"], row["question"], row["raw"], row["names"])
            for row in rows
        ]

    def _chats(self, where: str, *values: object) -> list[KeptChat]:
        rows = self._database.rows(f"{_CHAT} {where}", *values)
        fields = KeptChat.__struct_fields__
        return [KeptChat(**{field: row[field] for field in fields}) for row in rows]
