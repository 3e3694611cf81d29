"""What each precision of a model takes; in a low window the chosen one alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from glm4v_tui.models.words import fit, gib
from glm4v_tui.plain import plain_line
from glm4v_tui.ui.middle_cut import cut_in_middle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.models import Choice, Outlook

STAR = "★"
_MOST_NAME = 20
_FIGURE = 8
"""Cells of a column of figures."""
_SPEED = 6
_FIT = 17
"""Of the words at the end: ``12.3 GiB short ★``."""


class PrecisionTable(Widget):
    """Draws itself anew only when something else is to be shown. Its height is the screen's to
    say: one line shows the chosen precision, more show a heading and as many as there is room."""

    DEFAULT_CSS = """
    PrecisionTable { height: 9; background: $surface; color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._names: tuple[str, ...] = ()
        self._outlook: Outlook | None = None
        self._chosen = ""

    def show(self, names: Sequence[str], outlook: Outlook | None, chosen: str) -> None:
        """Show a model's precisions.

        Args:
            names: Of all, ``auto`` first.
            outlook: What they take; None as long as that is not known.
            chosen: The one to be loaded.
        """
        given = (tuple(names), outlook, chosen)
        if given != (self._names, self._outlook, self._chosen):
            self._names, self._outlook, self._chosen = given
            self.refresh()

    def render(self) -> Content:
        width, height = self.content_size
        if not self._names or width < 1:
            return Content("")
        if height < 3:
            return self._chosen_line(width)
        name_cells = min(_MOST_NAME, max(map(len, map(self._label, self._names)), default=0) + 2)
        lines = [self._heading(name_cells, width)]
        lines += [self._line(name, name_cells, width) for name in self._in_sight(height - 1)]
        return Content("\n").join(lines)

    def _in_sight(self, rows: int) -> tuple[str, ...]:
        """As many names as there is room for, the chosen one among them."""
        at = self._names.index(self._chosen) if self._chosen in self._names else 0
        first = max(0, min(at - rows // 2, len(self._names) - rows))
        return self._names[first : first + rows]

    def _choice(self, name: str) -> Choice | None:
        choices = self._outlook.choices if self._outlook is not None else ()
        return next((choice for choice in choices if choice.name == name), None)

    def _label(self, name: str) -> str:
        choice = self._choice(name)
        takes = f": {choice.takes}" if choice is not None and choice.takes != name else ""
        return plain_line(f"{name}{takes}")

    # The table ----------------------------------------------------------------------------------

    def _has_speeds(self) -> bool:
        choices = self._outlook.choices if self._outlook is not None else ()
        return any(choice.tokens_per_s for choice in choices)

    def _columns(self, name_cells: int, width: int) -> tuple[bool, bool]:
        """Whether there is room for the weights, and for the speed where it is known."""
        left = width - name_cells - _FIGURE - _FIT
        speeds = self._has_speeds() and left >= _SPEED
        left -= _SPEED if speeds else 0
        return left >= _FIGURE, speeds

    def _heading(self, name_cells: int, width: int) -> Content:
        weights, speeds = self._columns(name_cells, width)
        words = "  precision".ljust(name_cells)
        words += "weights".rjust(_FIGURE) if weights else ""
        words += "needed".rjust(_FIGURE)
        words += "tok/s".rjust(_SPEED) if speeds else ""
        words += f"  GiB; {STAR} recommended"
        return Content.styled(words, "$foreground 60%").truncate(width)

    def _line(self, name: str, name_cells: int, width: int) -> Content:
        weights, speeds = self._columns(name_cells, width)
        is_chosen, choice = name == self._chosen, self._choice(name)
        label = cut_in_middle(self._label(name), name_cells - 2)
        look = "bold $text-primary" if is_chosen else ""
        mark = ("▸ " if is_chosen else "  ", "$text-accent")
        start = Content.assemble(mark, (label.ljust(name_cells - 2), look))
        if choice is None or self._outlook is None:
            return start.truncate(width)
        figures = gib(choice.weights).rjust(_FIGURE) if weights else ""
        figures += gib(choice.needed).rjust(_FIGURE)
        figures += _speed(choice).rjust(_SPEED) if speeds else ""
        line = Content.assemble(start, (figures, look), "  ", _fit(choice, self._outlook))
        return line.truncate(width)

    # One line -----------------------------------------------------------------------------------

    def _chosen_line(self, width: int) -> Content:
        choice, end = self._choice(self._chosen), Content("")
        if choice is not None and self._outlook is not None:
            word = ("fits", "$text-success") if choice.fits else ("too much", "$text-warning")
            end = Content.assemble(f" {gib(choice.needed)} GiB, ", word, *_star(choice))
        label = cut_in_middle(self._label(self._chosen), max(4, width - 4 - end.cell_length))
        arrows = ("◂ ", "$text-accent"), (" ▸", "$text-accent")
        return Content.assemble(arrows[0], (label, "bold"), arrows[1], end).truncate(width)


def _speed(choice: Choice) -> str:
    return f"{choice.tokens_per_s:.0f}" if choice.tokens_per_s else ""


def _fit(choice: Choice, outlook: Outlook) -> Content:
    words = (fit(choice, outlook), "$text-success" if choice.fits else "$text-warning")
    return Content.assemble(words, *_star(choice))


def _star(choice: Choice) -> tuple[tuple[str, str], ...]:
    return ((f" {STAR}", "bold $text-accent"),) if choice.is_recommended else ()
