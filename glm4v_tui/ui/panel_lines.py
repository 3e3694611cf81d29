"""A result's panel as terminal lines."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.measure import Measurement
from rich.padding import Padding
from rich.style import Style
from rich.table import Table as Grid
from rich.text import Text
from textual.color import Color
from textual.strip import Strip

from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.panel import Badge, Panel, Row, Table, Tone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

NAMES = 0.4
"""The most of the width that the names of rows take."""


@dataclass(frozen=True)
class Sheet:
    """A panel and what stands with it."""

    panel: Panel = field(default_factory=Panel)
    numbered: int = 0
    """Regions that are drawn with numbers; the first table with as many rows gets these, too."""
    warnings: tuple[str, ...] = ()
    message: str = ""
    """Said above all else: what is wrong with the result."""


@dataclass(frozen=True, eq=False)
class SheetStyle:
    """The colors of a theme; one object for each theme."""

    tones: Mapping[Tone, Style]
    badges: Mapping[Tone, Style]
    name: Style
    title: Style
    head: Style


def sheet_style(variables: Mapping[str, str]) -> SheetStyle:
    """The style for a theme, by its variables: the same object while those are the same."""
    names = ("success", "warning", "error", "primary", "secondary")
    return _style(*(variables[name] for name in names))


@lru_cache(maxsize=4)
def _style(success: str, warning: str, error: str, primary: str, secondary: str) -> SheetStyle:
    tones = {Tone.GOOD: success, Tone.WARN: warning, Tone.BAD: error}
    return SheetStyle(
        {Tone.PLAIN: Style(), **{tone: _front(color) for tone, color in tones.items()}},
        {tone: _badge(color) for tone, color in {Tone.PLAIN: secondary, **tones}.items()},
        _front(secondary),
        _front(primary) + Style(bold=True),
        _front(primary),
    )


class SheetLines:
    """Draws sheets; see :class:`glm4v_tui.ui.markdown.MarkdownLines`."""

    def draw(self, sheet: Sheet, width: int, style: SheetStyle) -> list[Strip]:
        """The lines of a sheet, each at most ``width`` cells, without a background."""
        console = _console(width)
        parts = list(_parts(sheet, style, console))
        drawn = console.render_lines(Group(*parts), pad=False) if parts else []
        lines = [Strip(line) for line in drawn]
        while lines and not lines[-1].text.strip():
            lines.pop()
        return lines


def _console(width: int) -> Console:
    return Console(
        width=width,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        highlight=False,
        _environ={},
    )


def _parts(sheet: Sheet, style: SheetStyle, console: Console) -> list[RenderableType]:
    panel = sheet.panel
    parts: list[RenderableType] = []
    if sheet.message:
        parts.append(Text(plain_line(sheet.message), style.tones[Tone.WARN]))
    if panel.badges:
        parts.append(_badges(panel.badges, style))
    numbered = _numbered_table(panel, sheet.numbered)
    rows: list[Row] = []
    for part in panel.parts:
        if isinstance(part, Row):
            rows.append(part)
            continue
        parts += [_rows(rows, style, console)] if rows else []
        rows = []
        parts += _table(part, style, console, is_numbered=part is numbered)
    parts += [_rows(rows, style, console)] if rows else []
    parts += [Text(plain_line(note), Style(italic=True)) for note in panel.notes]
    parts += [_warning(text, style) for text in sheet.warnings]
    return parts


def _badges(badges: Sequence[Badge], style: SheetStyle) -> Text:
    shown = [Text(f" {plain_line(badge.text)} ", style.badges[badge.tone]) for badge in badges]
    return Text(" ").join(shown)


def _rows(rows: Sequence[Row], style: SheetStyle, console: Console) -> RenderableType:
    widest = max(Text(plain_line(row.name)).cell_len for row in rows)
    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=max(1, min(widest, int(console.width * NAMES))), overflow="fold")
    grid.add_column(overflow="fold")
    for row in rows:
        value = Text(plain_line(row.value), style.tones[row.tone])
        grid.add_row(Text(plain_line(row.name), style.name), value)
    return grid


def _table(
    table: Table, style: SheetStyle, console: Console, *, is_numbered: bool
) -> list[RenderableType]:
    title = Text(plain_line(table.title), style.title)
    if not table.rows:
        return [Text.assemble(title, (": none", Style()))]
    columns, rows = _numbered(table) if is_numbered else (table.columns, table.rows)
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=style.head)
    for column in columns:
        grid.add_column(plain_line(column), overflow="fold")
    for cells in rows:
        grid.add_row(*(Text(plain_line(cell)) for cell in cells))
    room = console.width - 2
    needed = Measurement.get(console, console.options, grid).minimum
    shown = grid if needed <= room else _cards(columns, rows, style)
    return [title, Padding(shown, (0, 0, 0, 2), expand=False)]


def _cards(
    columns: Sequence[str], rows: Sequence[Sequence[str]], style: SheetStyle
) -> RenderableType:
    """The rows below one another, for a table that is wider than the screen."""
    shown: list[RenderableType] = []
    for cells in rows:
        named = zip(columns, cells, strict=True)
        pairs = [((f"{plain_line(name)} ", style.name), plain_line(cell)) for name, cell in named]
        shown.append(Text(" · ").join(Text.assemble(name, value) for name, value in pairs))
    return Group(*shown)


def _numbered_table(panel: Panel, count: int) -> Table | None:
    tables = [part for part in panel.parts if isinstance(part, Table)]
    return next((table for table in tables if count and len(table.rows) == count), None)


def _numbered(table: Table) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    numbers = tuple(str(number) for number in range(1, len(table.rows) + 1))
    if all(tuple(row[:1]) == (number,) for row, number in zip(table.rows, numbers, strict=True)):
        return table.columns, table.rows  # the task numbers them itself
    rows = tuple((number, *row) for number, row in zip(numbers, table.rows, strict=True))
    return ("#", *table.columns), rows


def _warning(text: str, style: SheetStyle) -> Text:
    return Text.assemble(("! ", style.tones[Tone.WARN] + Style(bold=True)), plain_line(text))


def _front(color: str) -> Style:
    return Style(color=Color.parse(color).rich_color)


def _badge(color: str) -> Style:
    parsed = Color.parse(color)
    if parsed.ansi is not None:
        return Style(color=parsed.rich_color, reverse=True, bold=True)
    front = parsed.get_contrast_text(1.0)
    return Style(color=front.rich_color, bgcolor=parsed.rich_color, bold=True)
