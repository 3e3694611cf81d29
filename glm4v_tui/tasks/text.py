"""Results as lines of text, for commands and plain chats."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.tasks.panel import Row, Table, Tone
from glm4v_tui.tasks.results import ResultState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glm4v_tui.tasks.outcome import Outcome
    from glm4v_tui.tasks.panel import Panel

_MARKS = {Tone.PLAIN: "", Tone.GOOD: "+ ", Tone.WARN: "! ", Tone.BAD: "!! "}


def outcome_lines(outcome: Outcome, notice: str) -> Iterator[str]:
    """All that is to be said of an answer, safe to print; the raw text of one that is not whole.

    Args:
        notice: What the task wants to be said with every result.
    """
    if outcome.result.state is ResultState.WHOLE:
        yield from _whole_lines(outcome)
    else:
        yield plain_text(outcome.result.json)
    if notice:
        yield plain_line(notice)


def _whole_lines(outcome: Outcome) -> Iterator[str]:
    yield from panel_lines(outcome.panel)
    for regions in outcome.regions:
        for number, region in enumerate(regions, 1):
            box = region.box
            corners = f"{box.left},{box.top} to {box.right},{box.bottom}"
            yield f"({number}) {plain_line(region.label)}: {corners}"
    yield from (f"Doubtful: {plain_line(doubt)}" for doubt in outcome.doubts)
    yield from (plain_line(failure) for failure in outcome.failures)


def panel_lines(panel: Panel) -> Iterator[str]:
    """The panel's lines, safe to print."""
    if panel.badges:
        yield "  ".join(f"[{_MARKS[badge.tone]}{plain_line(badge.text)}]" for badge in panel.badges)
    names = [_width(plain_line(part.name)) for part in panel.parts if isinstance(part, Row)]
    for part in panel.parts:
        if isinstance(part, Row):
            name = _padded(plain_line(part.name), max(names))
            yield f"{name}  {_MARKS[part.tone]}{plain_line(part.value)}"
        else:
            yield from _table(part)
    yield from (plain_line(note) for note in panel.notes)


def _table(table: Table) -> Iterator[str]:
    if not table.rows:
        yield f"{plain_line(table.title)}: none"
        return
    yield f"{plain_line(table.title)}:"
    cells = [[plain_line(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    yield from (f"  {_line(row, widths)}".rstrip() for row in cells)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(_padded(cell, width) for cell, width in zip(cells, widths, strict=True))


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Columns that the text takes in a terminal."""
    return sum(_columns(letter) for letter in text)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
