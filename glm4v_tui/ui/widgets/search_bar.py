"""Finding words in the conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class SearchBar(Horizontal):
    """An input and a count. The screen does the searching."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="search.close"),
        Binding("enter,down", "step(1)", "Next", id="search.next", priority=True),
        Binding("up,shift+enter", "step(-1)", "Previous", id="search.previous", priority=True),
    ]

    DEFAULT_CSS = """
    SearchBar {
        height: 1; background: $panel; padding: 0 1;
        Input { border: none; height: 1; width: 1fr; padding: 0 1; background: $panel; }
        Words { width: auto; color: $text-muted; }
    }
    """

    @dataclass
    class Wanted(Message):
        """Show what contains ``text``: the match under way (0), the next or the one before."""

        bar: SearchBar
        text: str
        step: int

    class Closed(Message):
        pass

    def compose(self) -> ComposeResult:
        yield Input(placeholder="search in this conversation", compact=True)
        yield Words()

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.focus_input()

    def focus_input(self) -> None:
        self.query_one(Input).focus()

    def show_count(self, position: int, total: int) -> None:
        """Show that match ``position`` (from 1) of ``total`` is on the screen."""
        self.query_one(Words).show(f"{position} of {total}" if total else "not found")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Wanted(self, event.value, 0))

    def action_step(self, step: int) -> None:
        self.post_message(self.Wanted(self, self.query_one(Input).value, step))

    def action_close(self) -> None:
        self.post_message(self.Closed())
        self.remove()
