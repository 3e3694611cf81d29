"""The chats that were kept, in the chat without a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.archive.catalog import entries, image_name, last_chat, open_chat, when
from glm4v_tui.archive.journal import ChatJournal
from glm4v_tui.errors import GlmError
from glm4v_tui.plain import plain_line, plain_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.session import ChatSession, Turn
    from glm4v_tui.ui.task_desk import TaskDesk

_SHOWN = 20


class LineChats:
    """Keeps the conversation of a session, and goes on with others.

    Args:
        say: Writes a line.
    """

    def __init__(self, session: ChatSession, desk: TaskDesk, say: Callable[[str], None]) -> None:
        self._session = session
        self._say = say
        self._journal = ChatJournal(session, desk.is_private, self._tell_trouble)

    async def begin(self, *, resume: bool) -> None:
        left = await self._journal.begin()
        if resume:
            await self._resume()
        elif left is not None:
            self._say(f"The last chat was cut off: /open {left.number} goes on with it.")

    async def close(self) -> None:
        await self._journal.close()

    async def tell(self, wanted: str) -> None:
        """List the newest chats, or those with these words."""
        try:
            found = await self._journal.store.do(lambda chats: entries(chats, wanted, _SHOWN))
        except GlmError as error:
            self._say(str(error))
            return
        for entry in found[:_SHOWN]:
            chat, about = entry.chat, f": {entry.found}" if entry.found else ""
            words = f"{chat.number}, {when(chat.changed_at)}, {chat.title}{about}"
            self._say(plain_line(words))
        if not found:
            self._say("Nothing was found." if wanted else "No chat was kept yet.")

    async def open(self, number: str) -> None:
        """Go on with the chat of this number."""
        if not number.isdecimal():
            self._say("/open NUMBER; /chats tells the numbers.")
        elif not self._session.is_idle:
            self._say("That cannot be done now.")
        else:
            await self._take_over(int(number))

    async def _resume(self) -> None:
        try:
            last = await self._journal.store.do(last_chat)
        except GlmError as error:
            self._say(str(error))
            return
        if last is None:
            self._say("There is no chat to go on with yet.")
        else:
            await self._take_over(last.number)

    async def _take_over(self, number: int) -> None:
        owner = self._journal.owner
        try:
            opened = await self._journal.store.do(lambda c: open_chat(c, number, None, owner))
        except (GlmError, LookupError) as error:
            self._say(str(error) if isinstance(error, GlmError) else f"There is no chat {number}.")
            return
        turns = self._journal.adopt(opened.chat.id, opened.turns)
        self._session.open(turns)
        for turn in turns:
            self._tell_turn(turn)
        also = " It is open elsewhere: this is a branch of it." if opened.is_copy else ""
        self._say(f"This was chat {opened.chat.number}: {plain_line(opened.chat.title)}.{also}")

    def _tell_turn(self, turn: Turn) -> None:
        self._say(f"You: {plain_text(turn.question.text)}")
        for image in turn.question.attachments:
            self._say(f"Image: {image_name(image.path)}")
        if turn.answer.text and turn.call is None:  # results are told by the chat itself
            self._say(plain_text(turn.answer.text))
        if turn.error is not None:
            self._say(plain_text(turn.error.title))

    def _tell_trouble(self, error: GlmError | None) -> None:
        if error is None:
            self._say("The chat is kept again.")
        else:
            self._say(f"This chat is not kept.\n{error}")
