"""A model's answer as one widget, however long it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from textual.strip import Strip

from glm4v_tui.ui.markdown import MarkdownLines, MarkdownStyle, markdown_style
from glm4v_tui.ui.widgets.one_layout import OneLayout

if TYPE_CHECKING:
    from rich.style import Style
    from textual.geometry import Size
    from textual.selection import Selection

Matter = TypeVar("Matter")
Look = TypeVar("Look")
M = TypeVar("M", contravariant=True)
L = TypeVar("L", contravariant=True)


class Drawer(Protocol[M, L]):
    """Makes lines of something, in any thread."""

    def draw(self, matter: M, width: int, style: L, /) -> list[Strip]: ...


class DrawnLines(OneLayout, Generic[Matter, Look]):
    """Has something drawn in a thread and keeps the lines; their text can be selected.

    Args:
        matter: What is to be drawn.
        drawer: Draws it.
    """

    DEFAULT_CSS = "DrawnLines { height: auto; }"

    def __init__(self, matter: Matter, drawer: Drawer[Matter, Look]) -> None:
        super().__init__()
        self._matter = matter
        self._lines: list[Strip] = []
        self._drawn: tuple[Matter, int, Look] | None = None
        self._paint: dict[int, tuple[Strip, Strip]] = {}
        """By line: what was drawn, and the same in the widget's colors."""
        self._drawer = drawer

    async def show(self, matter: Matter) -> None:
        """Show this; returns when it is drawn, so a caller is no faster than that."""
        self._matter = matter
        if width := self.content_size.width:
            wanted = (matter, width, self._style())
            self._take(wanted, await asyncio.to_thread(self._drawer.draw, *wanted))
        else:  # not laid out yet, or without height so far: the layout asks for the lines
            self._drawn = None
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Lines at this width, drawn at once when the width is new."""
        self._draw_for(width)
        return len(self._lines)

    def _draw_for(self, width: int) -> None:
        wanted = (self._matter, width, self._style())
        if self._drawn is None or self._drawn[1:] != wanted[1:]:
            self._lines = self._drawer.draw(*wanted)
            self._drawn = wanted

    @property
    def text(self) -> str:
        """What the lines say."""
        return "\n".join(line.text for line in self._lines)

    def line_of(self, wanted: str) -> int | None:
        """The first line with these words (given case-folded); None when no single line has."""
        lines = enumerate(self._lines)
        return next((y for y, line in lines if wanted in line.text.casefold()), None)

    def render_line(self, y: int) -> Strip:
        if self._drawn is not None and self._drawn[1] != self.content_size.width:
            # Back at a width of before: the layout remembers its height, and asks for no lines.
            self._draw_for(self.content_size.width)
        if y >= len(self._lines):
            return Strip.blank(self.content_size.width)
        selection = self.text_selection
        if selection is None or (span := selection.get_span(y)) is None:
            return self._painted(y)
        style = self.screen.get_component_rich_style("screen--selection")
        return _highlight(self._painted(y), span, style)

    def _painted(self, y: int) -> Strip:
        """A line with the widget's colors, kept: while an answer grows, most of it only scrolls."""
        line = self._lines[y]
        if (painted := self._paint.get(y)) is None or painted[0] is not line:
            style = self.rich_style
            full = line.apply_style(style).adjust_cell_length(self.content_size.width, style)
            self._paint[y] = painted = (line, full.apply_offsets(0, y))
        return painted[1]

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        return selection.extract(self.text), "\n"

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._paint.clear()
        # Drawn anew for another theme only: styles change at every focus, in all answers at once.
        self.refresh(layout=self._drawn is not None and self._drawn[2] is not self._style())

    def _style(self) -> Look:
        """The colors to draw in: the same object while the theme is the same."""
        raise NotImplementedError

    def _take(self, drawn: tuple[Matter, int, Look], lines: list[Strip]) -> None:
        if drawn[1] != self.content_size.width:
            return  # the window has another width by now; the layout draws it anew
        is_higher = len(lines) != len(self._lines)
        self._lines, self._drawn = lines, drawn
        self.refresh(layout=is_higher)


class AnswerText(DrawnLines[str, MarkdownStyle]):
    """Markdown."""

    def __init__(self) -> None:
        super().__init__("", MarkdownLines())

    def _style(self) -> MarkdownStyle:
        return markdown_style(self.app.current_theme)


def _highlight(line: Strip, span: tuple[int, int], style: Style) -> Strip:
    start, end = span
    end = line.cell_length if end == -1 else end
    before, inside, after = line.divide([start, end, line.cell_length])[:3]
    return Strip.join([before, inside.apply_style(style), after])
