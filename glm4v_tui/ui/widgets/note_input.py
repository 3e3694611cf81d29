"""A line for a note, which is not there until it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

if TYPE_CHECKING:
    from textual.binding import BindingType


class NoteInput(Input):
    """Enter keeps the note, Escape leaves it as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "keep", "Keep the note", id="triage.note_keep"),
        Binding("escape", "leave", "Leave the note as it was", id="triage.note_leave"),
    ]

    DEFAULT_CSS = """
    NoteInput {
        height: 1; border: none; padding: 0 1; background: $boost;
        &:focus { border: none; }
    }
    """

    @dataclass
    class Written(Message):
        """The note is to be kept; empty: there is to be none."""

        text: str

    def __init__(self) -> None:
        super().__init__(placeholder="a note to this image", select_on_focus=False)
        self.cursor_blink = False
        self.display = False

    def begin(self, text: str) -> None:
        """Come with this text and take the keys."""
        self.value = text
        self.cursor_position = len(text)
        self.display = True
        self.screen.set_focus(self)

    def action_keep(self) -> None:
        self.post_message(self.Written(self.value.strip()))
        self.action_leave()

    def action_leave(self) -> None:
        self.display = False
        self.screen.set_focus(None)
