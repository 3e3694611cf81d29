"""The top line of a review: which task, what the model is at, how far it has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from glm4v_tui.ui.triage.words import progress_words

if TYPE_CHECKING:
    from glm4v_tui.triage.review import Progress


class TriageHead(Widget):
    """One line; draws itself anew only when its words have changed.

    Args:
        title: What is reviewed.
    """

    DEFAULT_CSS = """
    TriageHead { height: 1; padding: 0 1; background: $panel; color: $foreground; }
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._state = ("", "")
        self._progress: Progress | None = None
        self._filter = ""

    def show_state(self, words: str, color: str) -> None:
        """What the model is at; empty where there is nothing to say."""
        self._set("_state", (words, color))

    def show_progress(self, progress: Progress, filter_: str = "") -> None:
        """How far the review has come, and which part of it is shown."""
        self._set("_progress", progress)
        self._set("_filter", filter_)

    def _set(self, name: str, value: object) -> None:
        if getattr(self, name) != value:
            setattr(self, name, value)
            self.refresh()

    def render(self) -> Content:
        width = self.content_size.width
        words, color = self._state
        left = Content.assemble(
            (self._title, "bold"),
            (f" · {self._filter}" if self._filter else "", "$text-accent"),
            (f" · {words}" if words else "", color),
        )
        right = Content("")
        if self._progress is not None:
            right = progress_words(self._progress, width - min(left.cell_length, width // 2) - 1)
        room = max(0, width - right.cell_length - 1)
        left = left.truncate(room, ellipsis=True)
        gap = max(0, width - left.cell_length - right.cell_length)
        return Content.assemble(left, " " * gap, right)
