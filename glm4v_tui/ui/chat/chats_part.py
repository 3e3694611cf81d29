"""Keeping the conversation, and going on with another one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from glm4v_tui.errors import GlmError, ImageChangedError, ImageMissingError
from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.ui.bound_keys import bound_key
from glm4v_tui.ui.chat.base import ChatBase
from glm4v_tui.ui.notices import tell_error

if TYPE_CHECKING:
    from textual.binding import BindingType

    from glm4v_tui.archive.catalog import Opened
    from glm4v_tui.archive.journal import ChatJournal
    from glm4v_tui.chat import Attachment
    from glm4v_tui.session import Turn
    from glm4v_tui.store.chat_values import KeptChat
    from glm4v_tui.store.chats import Chats
    from glm4v_tui.ui.screens.chats import ChosenChat


class ChatsPart(ChatBase):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+l", "chats", "Chats", id="chat.chats", priority=True, show=False,
                tooltip="Find, open, rename and delete the chats that were kept"),
    ]  # fmt: skip

    _journal: ChatJournal

    def _begin_journal(self) -> None:
        """Keep what is said from now on. Nothing of the store is imported before this."""
        from glm4v_tui.archive.journal import ChatJournal

        self._journal = ChatJournal(self._session, self._desk.is_private, self._tell_trouble)
        self.run_worker(self._look_back(), group="chats")

    async def _look_back(self) -> None:
        left = await self._journal.begin()
        if self._launch.resume:
            await self._resume()
        elif left is not None:
            title, key = plain_line(left.title), bound_key(self, "chat.chats")
            words = f"The last chat was cut off: {key} and Enter goes on with “{title}”."
            self.notify(words, timeout=10, markup=False)

    async def _resume(self) -> None:
        from glm4v_tui.archive.catalog import last_chat

        try:
            last = await self._journal.store.do(last_chat)
        except GlmError as error:
            tell_error(self, error)
            return
        if last is None:
            self.notify("There is no chat to go on with yet.", severity="warning", markup=False)
        elif self._session.turns:
            key = bound_key(self, "chat.chats")
            self.notify(f"You were faster: {key} opens the last chat.", markup=False)
        else:
            await self._open(last.number)

    def _tell_trouble(self, error: GlmError | None) -> None:
        if error is None:
            self.notify("The chat is kept again.", markup=False)
            return
        self.notify(
            plain_text("\n".join(part for part in (error.body, error.remedy) if part)),
            title=f"This chat is not kept: {error.title[:1].lower()}{error.title[1:]}",
            severity="warning",
            timeout=15,
            markup=False,
        )

    # The list ---------------------------------------------------------------------------------

    async def action_chats(self) -> None:
        from glm4v_tui.ui.screens.chats import ChatsScreen

        if hasattr(self, "_journal"):
            await self.app.push_screen(ChatsScreen(self._journal, self._forget), self._take_chat)

    def _take_chat(self, chosen: ChosenChat | None) -> None:
        if chosen is not None:
            self.run_worker(self._open(chosen.number, chosen.turn), group="chats")

    def _forget(self) -> bool:
        """Leave the conversation, which is being deleted."""
        if not self._may_leave():
            return False
        self._session.clear()
        self.call_next(self._show_turns)
        return True

    def _may_leave(self) -> bool:
        if not self._session.is_idle:
            self.notify("Stop the answer first (Esc).", severity="warning", markup=False)
            return False
        self._leave_edit()
        return True

    # Another conversation -----------------------------------------------------------------------

    async def _open(self, number: int, turn: str | None = None) -> None:
        """Make a kept chat the conversation; show one of its turns, or its end."""
        from glm4v_tui.archive.catalog import open_chat

        def read(chats: Chats) -> Opened:
            return open_chat(chats, number, turn, self._journal.owner)

        if not self._may_leave():
            return
        try:
            opened = await self._journal.store.do(read)
        except (GlmError, LookupError) as error:
            tell_error(self, _gone(error))
            return
        if opened.is_copy:
            self.notify("It is open in another window: this is a branch of it.", markup=False)
        await self._take_over(opened, turn)

    async def _branch(self, turn: Turn) -> None:
        """Begin another chat with all up to this turn."""

        def branch(chats: Chats) -> KeptChat:
            return chats.branch(turn.request_id)

        if not self._may_leave():
            return
        await self._journal.kept()
        try:
            number = (await self._journal.store.do(branch)).number
        except (GlmError, LookupError) as error:
            tell_error(self, _gone(error))
            return
        await self._open(number)
        self.notify("A branch: the chat that it comes from stays as it is.", markup=False)

    async def _take_over(self, opened: Opened, turn: str | None) -> None:
        turns = self._journal.adopt(opened.chat.id, opened.turns)
        if any(one.call for one in turns):
            await self._desk.ready()  # results are read once
        if not self._may_leave():  # somebody asked while it was read
            return
        if turns != self._session.turns:
            self._session.open(turns)
        await self._show_turns()
        found = next((one for one in turns if one.request_id == turn), None)
        view = self._log.view_of(found) if found else None
        if view is not None:
            self.call_after_refresh(self._log.go_to, view)
        else:
            self.set_focus(self._question.composer)
        self.run_worker(self._look_for_images(turns), group="images")

    async def _look_for_images(self, turns: list[Turn]) -> None:
        """Say which images are not what was asked about any more."""
        known: dict[tuple[str, str], str] = {}
        for turn in turns:
            words = []
            for image in turn.question.attachments:
                place = (image.path, image.digest)
                if place not in known:
                    known[place] = await asyncio.to_thread(_what_became_of, image)
                words.append(known[place])
            if any(words) and (view := self._log.view_of(turn)) is not None:
                view.tell_of_images(words)
        gone = sum(bool(word) for word in known.values())
        if gone:
            count, them = (f"{gone} images", "them") if gone > 1 else ("1 image", "it")
            words_ = f"{count} of this chat cannot be shown to the model: attach {them} again."
            self.notify(words_, severity="warning", markup=False)

    def _find_again(self, images: tuple[Attachment, ...]) -> None:
        """What is attached again is there again for the questions before, wherever it lies now."""
        for image in images:
            for turn in self._session.find_again(image):
                if (view := self._log.view_of(turn)) is not None:
                    view.tell_of_images(())


def _what_became_of(image: Attachment) -> str:
    """In words, what is wrong with an image's file; "" when it is as it was."""
    from glm4v_tui.archive.turns import NOT_KEPT
    from glm4v_tui.errors import ImageError
    from glm4v_tui.images import check_unchanged

    if image.path == NOT_KEPT:
        return "attach it again to ask on"
    try:
        check_unchanged(image)
    except ImageMissingError:
        return "the file is gone"
    except ImageChangedError:
        return "the file has changed since"
    except ImageError as error:
        return plain_line(error.title)
    return ""


def _gone(error: Exception) -> GlmError:
    return error if isinstance(error, GlmError) else GlmError("This chat is not there any more")
