"""The models to choose from; only the lines in sight are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from glm4v_tui.ui.middle_cut import cut_in_middle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

_LEAD = 2
_LEAST_NAME = 28
"""Cells that a name has to have left before a size stands beside it."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A line of the list; safe to show."""

    name: str
    state: str = ""
    size: str = ""
    is_in_use: bool = False


class ModelList(ScrollView, can_focus=False):
    """Rows and a cursor, which the screen's keys move."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "model-list--cursor",
        "model-list--in-use",
        "model-list--faint",
    }

    DEFAULT_CSS = """
    ModelList {
        height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1;
        background: $surface; color: $foreground;
        .model-list--cursor {
            color: $block-cursor-foreground; background: $block-cursor-background;
            text-style: $block-cursor-text-style;
        }
        .model-list--in-use { text-style: bold; color: $text-success; }
        .model-list--faint { color: $foreground 60%; }
    }
    """

    class Moved(Message):
        """The cursor was put on another row by the mouse."""

    class Chosen(Message):
        """A row was clicked twice."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: Sequence[ModelRow] = ()
        self.cursor = 0
        """Index of the row it stands on; 0 when there is none."""

    def show(self, rows: Sequence[ModelRow], cursor: int) -> None:
        """Show these rows."""
        self._rows = rows
        self.virtual_size = Size(self.size.width, len(rows))
        self.cursor = min(max(0, cursor), max(0, len(rows) - 1))
        self._reveal()
        self.refresh()

    def show_row(self, index: int, row: ModelRow) -> None:
        """Show one row anew; costs nothing where it is out of sight."""
        self._rows = [*self._rows[:index], row, *self._rows[index + 1 :]]
        if index in range(self.scroll_offset.y, self.scroll_offset.y + self.size.height):
            self.refresh_line(index)

    def move(self, rows: int) -> None:
        """Move the cursor; it stays at the ends."""
        before = self.cursor
        self.cursor = min(max(0, before + rows), max(0, len(self._rows) - 1))
        self.refresh_line(before)
        self.refresh_line(self.cursor)
        self._reveal()

    @property
    def page(self) -> int:
        """Rows that a page key moves by."""
        return max(1, self.size.height - 1)

    def _reveal(self) -> None:
        height, top = self.size.height, round(self.scroll_target_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif height and self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._rows))
        self._reveal()

    def on_click(self, event: events.Click) -> None:
        index = event.y + self.scroll_offset.y
        if 0 <= index < len(self._rows):
            self.move(index - self.cursor)
            self.post_message(self.Chosen() if event.chain == 2 else self.Moved())

    def render_line(self, y: int) -> Strip:
        width, index = self.scrollable_content_region.width, y + self.scroll_offset.y
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        return self._row(self._rows[index], width, is_cursor=index == self.cursor)

    def _row(self, row: ModelRow, width: int, *, is_cursor: bool) -> Strip:
        base = self.rich_style
        name_style = base + self._part("in-use") if row.is_in_use else base
        faint = base + Style(color=self.get_component_rich_style("model-list--faint").color)
        if is_cursor:
            base = name_style = faint = base + self._part("cursor")
        with_size = f"{row.state} {row.size:>8}"
        is_wide = width - _LEAD - cell_len(with_size) - 2 >= _LEAST_NAME
        facts = with_size if is_wide else row.state
        room = width - _LEAD - cell_len(facts) - 2
        name = cut_in_middle(row.name, room)
        gap = " " * max(0, room - cell_len(name) + 2)
        segments = [
            Segment("> " if is_cursor else "  ", base),
            Segment(name, name_style),
            Segment(f"{gap}{facts}", faint),
        ]
        return Strip(segments).adjust_cell_length(width, base)

    def _part(self, name: str) -> Style:
        return self.get_component_rich_style(f"model-list--{name}", partial=True)
