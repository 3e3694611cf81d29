"""Keeps a conversation while it goes on: a question before the model has it, an answer as it grows.

Lives in the event loop and writes in a thread. What cannot be written stays in here and is tried
again: a disk that was full costs nothing once there is room.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from typing import TYPE_CHECKING

from glm4v_tui.archive.store_thread import StoreThread
from glm4v_tui.errors import GlmError, StoreError
from glm4v_tui.plain import plain_line
from glm4v_tui.session import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from glm4v_tui.session import ChatSession, Turn, TurnState
    from glm4v_tui.store.chat_values import KeptChat, KeptTurn
    from glm4v_tui.store.chats import Chats
    from glm4v_tui.tasks.call import TaskCall

FLUSH_S = 0.5
"""How long a growing answer waits to be written; what else changes does not wait."""
RETRY_S = 10.0
PATIENCE_S = 15.0
"""How long a question waits for a disk that hangs, before the model gets it all the same."""


class ChatJournal(Journal):
    """Args:
    session: The conversation; its journal this becomes.
    is_private: Whether a task must not tell where its images lie.
    on_trouble: Called when the conversation cannot be kept, and with None when it is again.
    path: The database file; None for the user's.
    """

    def __init__(
        self,
        session: ChatSession,
        is_private: Callable[[TaskCall], bool],
        on_trouble: Callable[[GlmError | None], None],
        path: Path | None = None,
    ) -> None:
        self.store = StoreThread(path)
        self.chat = ""
        """The id of the chat that the conversation is; "" before its first question."""
        self.owner = ""
        """This process, as the chats have it that it has open."""
        self._held = ""
        self._session = session
        self._is_private = is_private
        self._on_trouble = on_trouble
        self._turns: dict[str, Turn] = {}
        """All that this process has seen, by id."""
        self._chat_of: dict[str, str] = {}
        self._parents: dict[str, str | None] = {}
        self._asked_at: dict[str, float] = {}
        self._hidden: set[str] = set()
        """Turns that were asked while places had to be hidden."""
        self._states: dict[str, TurnState] = {}
        self._dirty: dict[str, set[str]] = {}
        """By chat: the turns that are to be written. A chat without any has another last turn."""
        self._heads: dict[str, tuple[str | None, str]] = {}
        """By chat: its last turn and its title."""
        self._writing: asyncio.Task[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._trouble = ""
        self._is_closed = False
        """What the engine says while it ends comes too late: nobody holds the chat any more."""
        session.journal = self
        if session.turns:  # somebody was quicker
            self.turns_changed(session.turns)

    # Life -------------------------------------------------------------------------------------

    async def begin(self) -> KeptChat | None:
        """Open the database.

        Returns:
            A chat that a process left without a word: it can be gone on with.
        """
        try:
            return await self.store.do(self._enter)
        except GlmError as error:
            self._tell(error)
            return None

    async def close(self) -> None:
        await self.kept()
        self._is_closed = True
        if self.owner and not self._trouble:
            with contextlib.suppress(StoreError, TimeoutError):  # of no consequence
                release = self.store.do(lambda chats: chats.release(self.owner))
                await asyncio.wait_for(release, PATIENCE_S)
        if self._timer is not None:
            self._timer.cancel()
        await self.store.close()

    def adopt(self, chat: str, turns: Sequence[KeptTurn]) -> list[Turn]:
        """Turns of a chat, to go on with: the very ones that this process has seen of it."""
        from glm4v_tui.archive.turns import restored

        for turn in turns:
            if turn.id not in self._turns:
                self._turns[turn.id] = restored(turn)
                self._states[turn.id] = self._turns[turn.id].state
            self._chat_of[turn.id] = chat
            self._parents[turn.id] = turn.parent
            self._asked_at[turn.id] = turn.asked_at
        return [self._turns[turn.id] for turn in turns]

    def _enter(self, chats: Chats) -> KeptChat | None:
        from glm4v_tui.store.chat_owner import is_alive

        self._know_owner()
        chats.erase_old()
        return chats.take_from_the_dead(is_alive)

    def _know_owner(self) -> None:
        """Runs in the thread: asking the system takes time."""
        from glm4v_tui.store.chat_owner import this_process

        self.owner = self.owner or this_process()

    # What the session says ----------------------------------------------------------------------

    def begun(self) -> None:
        self.chat = ""

    def turns_changed(self, turns: Sequence[Turn]) -> None:
        self.chat = next(
            (self._chat_of[turn.request_id] for turn in turns if turn.request_id in self._chat_of),
            self.chat or (uuid.uuid4().hex if turns else ""),
        )
        if self.chat:
            self._note_list(turns)
        if self._held and self._held != self.chat:
            self._dirty.setdefault(self._held, set())  # to let go of it
        self._held = self.chat
        self._flush_soon()

    def _note_list(self, turns: Sequence[Turn]) -> None:
        from glm4v_tui.archive.turns import title_of

        parent: str | None = None
        changed = self._dirty.setdefault(self.chat, set())
        for turn in turns:
            name = turn.request_id
            if self._parents.get(name, "?") != parent:
                changed.add(name)
            if self.hides_places and name not in self._turns:
                self._hidden.add(name)
            self._turns[name], self._parents[name] = turn, parent
            self._chat_of[name] = self.chat
            self._asked_at.setdefault(name, time.time())
            parent = name
        self._heads[self.chat] = (parent, title_of(turns))

    def turn_changed(self, turn: Turn) -> None:
        name = turn.request_id
        if name not in self._chat_of:
            return
        self._dirty.setdefault(self._chat_of[name], set()).add(name)
        if self._states.get(name) is not turn.state:
            self._states[name] = turn.state
            self._flush_soon()
        else:
            self._flush_soon(FLUSH_S)

    async def kept(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                self._flush()
                while self._writing is not None and await asyncio.shield(self._writing):
                    self._flush()
        except TimeoutError:
            self._tell(StoreError("The disk does not answer", "The chat is not kept meanwhile."))

    # Writing ------------------------------------------------------------------------------------

    def _flush_soon(self, seconds: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._dirty and self._writing is None and not self._is_closed:
            dirty, self._dirty = self._dirty, {}
            self._writing = asyncio.ensure_future(self._write(dirty))

    async def _write(self, dirty: dict[str, set[str]]) -> bool:
        """Whether it could be written; if not, it is noted again."""
        batches = [self._batch(chat, names) for chat, names in dirty.items()]

        def write(chats: Chats) -> None:
            self._know_owner()
            for batch in batches:
                batch(chats)

        try:
            await self.store.do(write)
        except GlmError as error:
            for chat, names in dirty.items():
                self._dirty.setdefault(chat, set()).update(names)
            self._tell(error)
            self._writing = None
            self._flush_soon(RETRY_S)
            return False
        self._writing = None
        self._tell(None)
        if self._dirty:
            self._flush_soon(FLUSH_S)
        return True

    def _batch(self, chat: str, names: Iterable[str]) -> Callable[[Chats], None]:
        """The writing of one chat; its turns as they are at this moment."""
        turns = [self._kept(name) for name in sorted(names, key=self._asked_at.__getitem__)]
        if chat not in self._heads:
            return lambda chats: chats.hold(chat, None)
        (head, title), is_open = self._heads[chat], chat == self.chat
        return lambda chats: chats.save(chat, title, head, turns, self.owner if is_open else None)

    def _kept(self, name: str) -> KeptTurn:
        from glm4v_tui.archive.turns import kept

        turn, model = self._turns[name], self._session.model
        return kept(
            turn,
            self._parents[name],
            asked_at=self._asked_at[name],
            is_private=name in self._hidden
            or bool(turn.private_task)
            or (turn.call is not None and self._is_private(turn.call)),
            model=plain_line(model.name) if model else "",
        )

    def _tell(self, error: GlmError | None) -> None:
        """Once for each reason, and once when it is over."""
        title = error.title if error else ""
        if title != self._trouble:
            self._trouble = title
            self._on_trouble(error)
