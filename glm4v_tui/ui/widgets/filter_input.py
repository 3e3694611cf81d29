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
        Binding("tab", "screen.to_list", "To the list", id="picker.filter_keep"),
    ]

    DEFAULT_CSS = """
    FilterInput {
        height: 1; border: none; padding: 0 1; background: $boost; display: none;
        &:focus { border: none; }
        &.-on { display: block; }
    }
    """

    def __init__(self) -> None:
        super().__init__(placeholder="letters of the name", select_on_focus=False)

    @property
    def is_on(self) -> bool:
        return self.has_class("-on")

    @property
    def query(self) -> str:
        return self.value.strip()

    def begin(self) -> None:
        self.add_class("-on")
        self.focus()

    def end(self) -> None:
        """Go away, without a word about the letters that go with it."""
        self.remove_class("-on")
        with self.prevent(Input.Changed):
            self.value = ""
