"""A line for the letters to look for, which is not there until it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.widgets import Input

if TYPE_CHECKING:
    from textual.binding import BindingType


class FilterInput(Input):
    """While letters are typed here, the cursor of the screen's list can still be moved."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,ctrl+n", "screen.move(1)", "Down", id="picker.filter_down", show=False),
        Binding("up,ctrl+p", "screen.move(-1)", "Up", id="picker.filter_up", show=False),
        Binding("escape", "screen.end_filter", "End the filter", id="picker.filter_close"),
        Binding("tab", "screen.to_list", "To the list", id="picker.filter_keep"),
    ]

    DEFAULT_CSS = """
    FilterInput {
        height: 1; border: none; padding: 0 1; background: $boost;
        &:focus { border: none; }
    }
    """

    def __init__(self) -> None:
        super().__init__(placeholder="letters of the name", select_on_focus=False)
        self.display = False

    @property
    def is_on(self) -> bool:
        return self.display

    @property
    def letters(self) -> str:
        return self.value.strip() if self.is_on else ""

    def begin(self) -> None:
        """Come and take the keys, at once: the next letter may be here already."""
        self.display = True
        self.screen.set_focus(self)

    def end(self) -> None:
        """Go away, without a word about the letters that go with it."""
        self.display = False
        with self.prevent(Input.Changed):
            self.value = ""
