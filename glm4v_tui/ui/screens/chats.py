"""The chats that were kept: type to search all of them, Enter goes on with one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from glm4v_tui.errors import GlmError
from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.ui.key_table import first_key
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from glm4v_tui.archive.catalog import Entry
    from glm4v_tui.archive.journal import ChatJournal
    from glm4v_tui.store.chat_values import KeptChat
    from glm4v_tui.store.chats import Chats


@dataclass(frozen=True)
class ChosenChat:
    """What to go on with."""

    number: int
    turn: str | None = None
    """To be shown; None for the end of the chat."""


class ChatsScreen(ModalScreen[ChosenChat | None]):
    """Ends in the chat that was chosen, or None.

    Args:
        journal: Of the conversation that is open.
        forget: Called when that conversation itself is deleted; False when it cannot be now.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+l", "leave", "Close", id="chats.close", priority=True),
        Binding("enter", "choose", "Open", id="chats.open", priority=True,
                tooltip="Go on with the chat; where words were found, at their place"),
        Binding("up", "move(-1)", "Up", id="chats.up", show=False, priority=True),
        Binding("down", "move(1)", "Down", id="chats.down", show=False, priority=True),
        Binding("pageup", "page(-1)", "Page up", id="chats.page_up", show=False, priority=True),
        Binding("pagedown", "page(1)", "Page down", id="chats.page_down", show=False,
                priority=True),
        Binding("f2", "rename", "Rename", id="chats.rename", priority=True),
        Binding("ctrl+d", "delete", "Delete", id="chats.delete", priority=True,
                tooltip="Brought back by the key below; erased for good after seven days"),
        Binding("f9", "restore", "Bring back", id="chats.restore", priority=True,
                tooltip="The chat that was deleted last"),
    ]  # fmt: skip

    DEFAULT_CSS = """
    ChatsScreen {
        align: center middle;
        #box {
            width: 90%; max-width: 100; height: auto; max-height: 90%; padding: 0 1;
            background: $surface; border: round $primary;
            border-subtitle-color: $text-muted;
        }
        Input { border: none; height: 1; padding: 0; margin: 0 0 1 0; }
        OptionList { height: auto; max-height: 20; border: none; padding: 0; }
        .problem { color: $text-muted; height: auto; }
    }
    ChatsScreen.-short #box { width: 100%; max-height: 100%; }
    ChatsScreen.-short OptionList { max-height: 9; }
    """

    def __init__(self, journal: ChatJournal, forget: Callable[[], bool]) -> None:
        super().__init__()
        self._journal = journal
        self._forget = forget
        self._shown: list[Entry] = []
        self._deleted: list[KeptChat] = []
        self._renamed: KeptChat | None = None
        """The chat whose title is being written."""
        self._wanted = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Input(compact=True)
            yield Words("reading the chats …", classes="problem")
            yield OptionList()

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.query_one(Input).focus()
        self.query_one(OptionList).can_focus = False
        self._name_keys()
        self._fill()

    # Keys -----------------------------------------------------------------------------------

    def action_leave(self) -> None:
        if self._renamed is not None:
            self._end_rename()
        else:
            self.dismiss(None)

    def action_choose(self) -> None:
        if self._renamed is not None:
            chat, title = self._renamed, self.query_one(Input).value.strip()
            self._end_rename()
            if title:
                self._change(lambda chats: chats.rename(chat.id, plain_line(title)))
        elif (entry := self._highlighted) is not None:
            self.dismiss(ChosenChat(entry.chat.number, entry.turn))

    def action_move(self, step: int) -> None:
        options = self.query_one(OptionList)
        if step < 0:
            options.action_cursor_up()
        else:
            options.action_cursor_down()

    def action_page(self, step: int) -> None:
        options = self.query_one(OptionList)
        last, rows = len(self._shown) - 1, max(1, options.size.height - 1)
        if last >= 0:
            options.highlighted = min(last, max(0, (options.highlighted or 0) + step * rows))

    def action_rename(self) -> None:
        if (entry := self._highlighted) is None or self._renamed is not None:
            return
        self._renamed = entry.chat
        field = self.query_one(Input)
        self._wanted = field.value
        field.value = plain_line(entry.chat.title)
        field.cursor_position = len(field.value)
        self._name_keys()

    def action_delete(self) -> None:
        if (entry := self._highlighted) is None or self._renamed is not None:
            return
        if entry.chat.id == self._journal.chat and not self._forget():
            return
        self._deleted.append(entry.chat)
        self._change(lambda chats: chats.delete(entry.chat.id))
        key = first_key(self, "chats.restore")
        self.notify(f"Deleted; {key} brings it back, for seven days.", markup=False, timeout=4)

    def action_restore(self) -> None:
        self._change(self._restore_last)

    def _restore_last(self, chats: Chats) -> None:
        gone = self._deleted[-1:] or chats.all(deleted=True)[:1]
        del self._deleted[-1:]
        for chat in gone:
            chats.restore(chat.id)

    def on_input_changed(self) -> None:
        if self._renamed is None:
            self._fill()

    def on_option_list_option_selected(self) -> None:
        self.action_choose()

    # What is shown --------------------------------------------------------------------------

    def _name_keys(self) -> None:
        box, field = self.query_one("#box"), self.query_one(Input)
        if self._renamed is not None:
            box.border_title, field.placeholder = "New title", ""
            words = [("chats.open", "renames"), ("chats.close", "leaves the title as it is")]
        else:
            box.border_title, field.placeholder = "Chats", "type to search all that was said"
            words = [
                *(("chats.open", "opens"), ("chats.rename", "renames")),
                *(("chats.delete", "deletes"), ("chats.restore", "brings back")),
                ("chats.close", "closes"),
            ]
        box.border_subtitle = "  ·  ".join(f"{first_key(self, key)} {does}" for key, does in words)

    def _end_rename(self) -> None:
        field = self.query_one(Input)
        with self.prevent(Input.Changed):
            field.value = self._wanted
        field.cursor_position = len(field.value)
        self._renamed = None
        self._name_keys()

    def _change(self, work: Callable[[Chats], None]) -> None:
        """Change something, and show the list as it is then; in the order of the keys."""

        async def run() -> None:
            try:
                await self._journal.store.do(work)
            except GlmError as error:
                self._tell(plain_text(str(error)))
            else:
                self._fill()

        self.run_worker(run(), group="changes")

    def _fill(self) -> None:
        self.run_worker(self._read(self.query_one(Input).value), group="list", exclusive=True)

    async def _read(self, wanted: str) -> None:
        from glm4v_tui.archive.catalog import entries

        try:
            self._show(await self._journal.store.do(lambda chats: entries(chats, wanted)))
        except GlmError as error:
            self._tell(plain_text(str(error)))

    @property
    def _highlighted(self) -> Entry | None:
        at = self.query_one(OptionList).highlighted
        return self._shown[at] if at is not None and at < len(self._shown) else None

    def _show(self, found: list[Entry]) -> None:
        options = self.query_one(OptionList)
        before = self._highlighted
        self._shown = found
        options.clear_options()
        options.add_options([Option(self._line(entry)) for entry in found])
        same = [at for at, entry in enumerate(found) if _same(entry, before)]
        options.highlighted = (same or [0])[0] if found else None
        nothing = "Nothing was found." if self.query_one(Input).value else "No chat was kept yet."
        self._tell("" if found else nothing)

    def _tell(self, words: str) -> None:
        problem = self.query_one(".problem", Words)
        problem.show(words)
        problem.display = bool(words)

    def _line(self, entry: Entry) -> Content:
        from glm4v_tui.archive.catalog import when

        chat = entry.chat
        here, open_ = chat.id == self._journal.chat, chat.owner is not None
        state = " · open here" if here else " · open in another window" if open_ else ""
        count = f"{chat.turns} question{'s' * (chat.turns != 1)}"
        facts = f"{chat.number} · {when(chat.changed_at)} · {count}{state}"
        title = (plain_line(chat.title), "bold")
        lines = [Content.assemble(title, "  ", (facts, "$text-muted"))]
        if entry.found:
            lines.append(Content.assemble(("   " + plain_line(entry.found), "$text-accent")))
        return Content("\n").join(lines)


def _same(entry: Entry, other: Entry | None) -> bool:
    return other is not None and (entry.chat.id, entry.turn) == (other.chat.id, other.turn)
