"""The labels of a task: their keys, how probable the model holds each, which one was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from glm4v_tui.ui.widgets.bar import Part, bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.geometry import Size

_NAMES = 16
"""Cells that names take at most."""
_SHARE = 5
"""Cells of ``100 %``."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label and what stands with it."""

    name: str
    """As it is shown."""
    keys: str
    probability: float | None = None
    is_models: bool = False
    """The model's label."""
    is_given: bool = False
    """The reviewer's."""


class LabelBars(Widget):
    """A line for each label."""

    DEFAULT_CSS = "LabelBars { height: auto; }"

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[LabelRow, ...] = ()

    def show(self, rows: Sequence[LabelRow]) -> None:
        """Show these; equal ones cost nothing."""
        if tuple(rows) != self._rows:
            is_other_height = len(rows) != len(self._rows)
            self._rows = tuple(rows)
            self.refresh(layout=is_other_height)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(self._rows)

    def render(self) -> Content:
        keys = max((len(row.keys) for row in self._rows), default=0)
        names = min(_NAMES, max((Content(row.name).cell_length for row in self._rows), default=0))
        room = self.content_size.width - keys - names - _SHARE - 7
        lines = [_line(row, keys, names, max(0, room)) for row in self._rows]
        return Content("\n").join(lines)


def _line(row: LabelRow, keys: int, names: int, room: int) -> Content:
    name = Content(row.name).truncate(names, ellipsis=True, pad=True)
    look = "bold" if row.is_models else "$text-muted" if row.probability is not None else ""
    given = ("✓", "bold $text-success") if row.is_given else (" ", "")
    parts: list[str | Content | tuple[str, str]] = [
        ("▸ " if row.is_models else "  ", "$text-accent"),
        (row.keys.ljust(keys), "$text-accent"),
        " ",
        name.stylize(look) if look else name,
        " ",
        given,
        " ",
    ]
    if row.probability is not None:
        color = "$primary" if row.is_models else "$foreground 45%"
        parts += [
            bar((Part(row.probability, color),), 1, room),
            (f"{row.probability:.0%}".rjust(_SHARE), look),
        ]
    return Content.assemble(*parts)
