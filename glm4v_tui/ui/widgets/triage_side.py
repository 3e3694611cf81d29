"""What the model says of an image, beside it: labels, result, and the last verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical, VerticalScroll

from glm4v_tui.ui.widgets.line import FewLines, Line
from glm4v_tui.ui.widgets.result_view import PanelText
from glm4v_tui.ui.widgets.triage_labels import LabelBars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.content import Content

    from glm4v_tui.ui.panel_lines import Sheet
    from glm4v_tui.ui.widgets.triage_labels import LabelRow


class TriageSide(Vertical):
    """Beside the picture, or below it where the window is narrow."""

    DEFAULT_CSS = """
    TriageSide {
        background: $surface; padding: 0 1;
        LabelBars { margin: 1 0 0 0; }
        #says { height: auto; }
        #result { height: 1fr; margin: 1 0 0 0; scrollbar-size-vertical: 1; }
        #last { height: 5; margin: 1 0 0 0; color: $text-muted;
                text-wrap: nowrap; text-overflow: ellipsis; }
    }
    TriageScreen.-short TriageSide {
        LabelBars, #result { margin: 0; }
        #last { display: none; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._labels = LabelBars()
        self._says = FewLines(id="says")
        self._panel = PanelText()
        self._last = Line(id="last")

    def compose(self) -> ComposeResult:
        yield self._labels
        yield self._says
        with VerticalScroll(id="result", can_focus=False):
            yield self._panel
        yield self._last

    def show_labels(self, rows: Sequence[LabelRow], says: Content | str) -> None:
        """The labels, and in a line what the model says or why it says nothing yet."""
        self._labels.show(rows)
        self._labels.display = bool(rows)
        self._says.show(says)

    async def show_result(self, sheet: Sheet) -> None:
        """The result as its panel."""
        await self._panel.show(sheet)
        self.query_one("#result").scroll_home(animate=False)

    def show_last(self, words: Content | str) -> None:
        """What was decided last."""
        self._last.show(words)

    def scroll_result(self, lines: int) -> None:
        self.query_one("#result").scroll_relative(y=lines, animate=False)
