"""A list of files that stays quick at 100,000: it draws the lines that are seen, and no others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from glm4v_tui.listing import Kind, matched_letters
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from rich.style import Style
    from textual import events
    from textual.binding import BindingType

    from glm4v_tui.listing import Row

_GUTTER = 3
"""Cells before the name: the cursor, the mark, a space."""
_TAIL = 9
"""Cells of a shortened name's end that stay: the number and the suffix tell files apart."""

_key = partial(Binding, show=False, priority=True)
"""At once, so that a burst of keys keeps its order with those of the screen around."""


class FileList(ScrollView, can_focus=True):
    """Shows rows, a cursor and marks. It changes nothing itself but the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("down,j", "move(1)", "Down", id="picker.down"),
        _key("up,k", "move(-1)", "Up", id="picker.up"),
        _key("pagedown,ctrl+f", "page(1)", "Page down", id="picker.page_down"),
        _key("pageup,ctrl+b", "page(-1)", "Page up", id="picker.page_up"),
        _key("ctrl+d", "page(0.5)", "Half a page down", id="picker.half_down"),
        _key("ctrl+u", "page(-0.5)", "Half a page up", id="picker.half_up"),
        _key("g,home", "first", "First", id="picker.first"),
        _key("G,end", "last", "Last", id="picker.last"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "file-list--cursor",
        "file-list--folder",
        "file-list--mark",
        "file-list--match",
        "file-list--faint",
    }

    DEFAULT_CSS = """
    FileList {
        background: $surface; color: $foreground; overflow-x: hidden; scrollbar-size-vertical: 1;
        .file-list--cursor { background: $block-cursor-blurred-background; }
        .file-list--folder { color: $text-primary; text-style: bold; }
        .file-list--mark { color: $text-success; text-style: bold; }
        .file-list--match { color: $text-warning; text-style: bold underline; }
        .file-list--faint { color: $text-muted; }
        &:focus .file-list--cursor {
            color: $block-cursor-foreground; background: $block-cursor-background;
            text-style: $block-cursor-text-style;
        }
    }
    """

    @dataclass
    class Moved(Message):
        """The cursor stands on another row, or on none."""

        row: Row | None

    @dataclass
    class Chosen(Message):
        """A row was clicked twice."""

        row: Row

    @dataclass
    class MarkClicked(Message):
        """The place of a row's mark was clicked, or the row with Ctrl."""

        index: int

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._rows: Sequence[Row] = ()
        self._cursor = 0
        self._marked: AbstractSet[str] = frozenset()
        self._anchor: int | None = None
        self._query = ""
        self._note = ""
        self._details: Callable[[Row], str] = lambda _: ""

    # What is shown ------------------------------------------------------------------------------

    @property
    def rows(self) -> Sequence[Row]:
        return self._rows

    @property
    def cursor(self) -> int:
        """Index of the row that the cursor is on; 0 when there is none."""
        return self._cursor

    @property
    def row(self) -> Row | None:
        """The row that the cursor is on."""
        return self._rows[self._cursor] if self._rows else None

    @property
    def span(self) -> range | None:
        """The rows from where a range was begun to the cursor."""
        if self._anchor is None:
            return None
        first, last = sorted((self._anchor, self._cursor))
        return range(first, last + 1)

    def show_rows(
        self,
        rows: Sequence[Row],
        cursor: int = 0,
        *,
        query: str = "",
        note: str = "",
        details: Callable[[Row], str] = lambda _: "",
    ) -> None:
        """Show other rows.

        Args:
            rows: In their order.
            cursor: Where it stands.
            query: Letters to highlight in the names.
            note: Said when there are no rows.
            details: What stands at the right of a row.
        """
        self._details = details
        self._rows, self._query, self._note, self._anchor = rows, query, note, None
        self._cursor = min(max(0, cursor), max(0, len(rows) - 1))
        self.virtual_size = Size(self.size.width, len(rows))
        self._reveal()
        self.refresh()
        self.post_message(self.Moved(self.row))

    def show_marks(self, marked: AbstractSet[str]) -> None:
        """Show which rows, by their keys, are marked."""
        self._marked = marked
        self.refresh()

    def begin_span(self) -> None:
        """Begin a range at the cursor."""
        self._anchor = self._cursor if self._rows else None
        self.refresh()

    def end_span(self) -> None:
        self._anchor = None
        self.refresh()

    # The cursor ---------------------------------------------------------------------------------

    def move_to(self, index: int) -> None:
        """Put the cursor on a row, the nearest there is."""
        index = min(max(0, index), max(0, len(self._rows) - 1))
        if index == self._cursor:
            return
        before, self._cursor = self._cursor, index
        if self._anchor is None:
            self.refresh_line(before)
            self.refresh_line(index)
        else:
            self.refresh()
        self._reveal()
        self.post_message(self.Moved(self.row))

    def _reveal(self) -> None:
        """Scroll just as far as the cursor needs."""
        height = self.scrollable_content_region.height
        top = round(self.scroll_target_y)
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True)
        elif height and self._cursor >= top + height:
            self.scroll_to(y=self._cursor - height + 1, animate=False, force=True)

    def action_move(self, rows: int) -> None:
        self.move_to(self._cursor + rows)

    def action_page(self, pages: float) -> None:
        self.move_to(self._cursor + int(pages * max(2, self.scrollable_content_region.height)))

    def action_first(self) -> None:
        self.move_to(0)

    def action_last(self) -> None:
        self.move_to(len(self._rows) - 1)

    # The mouse ----------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        index = event.y + self.scroll_offset.y
        if not 0 <= index < len(self._rows):
            return
        self.move_to(index)
        if event.ctrl or event.x < _GUTTER:
            self.post_message(self.MarkClicked(index))
        elif event.chain == 2:
            self.post_message(self.Chosen(self._rows[index]))

    # Drawing ------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._rows))
        self._reveal()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        index = y + self.scroll_offset.y
        if index < len(self._rows):
            segments, base = self._row_segments(index, width)
        else:
            base = self.rich_style
            note = f"   {self._note}" if y == 1 and not self._rows else ""
            segments = [Segment(note, base + self._part("faint"))]
        return Strip(segments).adjust_cell_length(width, base)

    def _part(self, name: str) -> Style:
        return self.get_component_rich_style(f"file-list--{name}", partial=True)

    def _row_segments(self, index: int, width: int) -> tuple[list[Segment], Style]:
        row, is_cursor = self._rows[index], index == self._cursor
        base = self.rich_style
        if is_cursor:
            base += self._part("cursor")
        in_span = (span := self.span) is not None and index in span
        mark = "●" if row.key in self._marked else "○" if in_span else " "
        name_style = base + self._part("folder") if row.kind is Kind.FOLDER else base
        lead, detail = "  " * row.depth + _icon(row), self._details(row)
        room = max(4, width - _GUTTER - cell_len(lead) - (len(detail) + 2 if detail else 0))
        name = self._name_segments(row.name, room, name_style)
        gap = room - sum(segment.cell_length for segment in name)
        end = f"{' ' * gap}  {detail}" if detail else ""
        mark_style = base + self._part("mark")
        return [
            Segment(">" if is_cursor else " ", base),
            Segment(f"{mark} ", mark_style),
            Segment(lead, name_style),
            *name,
            Segment(end, base if is_cursor else base + self._part("faint")),
        ], base

    def _name_segments(self, name: str, room: int, style: Style) -> list[Segment]:
        """The name in the room there is, with the letters that were searched for."""
        shown = plain_line(name)
        hits = matched_letters(name, self._query) if self._query and shown == name else set()
        head, tail = shorten(shown, room)
        hit_style = style + self._part("match")
        return [
            *_runs(head, 0, hits, style, hit_style),
            *([Segment("…", style)] if tail else []),
            *_runs(tail, len(shown) - len(tail), hits, style, hit_style),
        ]


def _icon(row: Row) -> str:
    if row.kind is not Kind.FOLDER:
        return "  "
    return "▾ " if row.is_open else "▸ "


def shorten(name: str, room: int) -> tuple[str, str]:
    """Cut a name to so many cells: what stays of its beginning and of its end.

    The end is empty when the name fits; otherwise an ellipsis is due between them.
    """
    if cell_len(name) <= room:
        return name, ""
    tail = name[-_TAIL:] if room > 2 * _TAIL else name[-1:]
    return set_cell_size(name, max(0, room - 1 - cell_len(tail))), tail


def _runs(text: str, offset: int, hits: set[int], style: Style, hit_style: Style) -> list[Segment]:
    """The text in pieces, those with an index in ``hits`` in their own style."""
    if not hits:
        return [Segment(text, style)]
    return [
        Segment("".join(letter for _, letter in run), hit_style if is_hit else style)
        for is_hit, run in groupby(enumerate(text, offset), lambda item: item[0] in hits)
    ]
