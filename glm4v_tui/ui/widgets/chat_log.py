"""The conversation, newest turn at the bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll

from glm4v_tui.ui.widgets.one_layout import OneLayout
from glm4v_tui.ui.widgets.turn_view import TurnView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.session import Turn
    from glm4v_tui.ui.task_desk import TaskDesk


class ChatLog(VerticalScroll, OneLayout, can_focus=False):
    """A view for each turn. Stays at the end until the user scrolls away from it."""

    DEFAULT_CSS = """
    ChatLog { height: 1fr; padding: 1 1 0 1; scrollbar-size-vertical: 1; }
    """

    def __init__(self, picture_height: int = 16, desk: TaskDesk | None = None) -> None:
        super().__init__()
        self._desk = desk
        self._picture_height = picture_height
        self._views: dict[str, TurnView] = {}
        self._found: TurnView | None = None

    def on_mount(self) -> None:
        self.anchor()

    async def sync(self, turns: Sequence[Turn]) -> None:
        """Make the views those of ``turns``."""
        wanted = {turn.request_id: turn for turn in turns}
        for request_id in [key for key in self._views if key not in wanted]:
            await self._views.pop(request_id).remove()
        new = [
            TurnView(turn, self._picture_height, self._desk)
            for request_id, turn in wanted.items()
            if request_id not in self._views
        ]
        self._views.update({view.turn.request_id: view for view in new})
        if new:
            await self.mount_all(new)
            self.anchor()

    def view_of(self, turn: Turn) -> TurnView | None:
        return self._views.get(turn.request_id)

    @property
    def views(self) -> list[TurnView]:
        return list(self._views.values())

    def find(self, text: str, step: int) -> tuple[int, int]:
        """Show the newest turn with these words, or ``step`` matches further down from the last.

        Returns:
            The place of the turn among the matches (from 1), and how many there are; (0, 0)
            when nothing was found.
        """
        if self._found is not None:
            self._found.remove_class("-found")
        wanted = text.casefold()
        matches = [view for view in self.views if wanted and view.contains(wanted)]
        if not matches:
            self._found = None
            return 0, 0
        last = matches.index(self._found) if self._found in matches else len(matches) - 1
        index = (last + step) % len(matches)
        self._found = matches[index]
        self._found.add_class("-found")
        self.release_anchor()
        self.scroll_to_region(self._found.place_of(wanted), animate=False, force=True, top=True)
        return index + 1, len(matches)

    def neighbor(self, view: TurnView, step: int) -> TurnView | None:
        """The view ``step`` places further down, None past either end."""
        index = self.views.index(view) + step
        return self.views[index] if 0 <= index < len(self._views) else None

    def scroll_pages(self, pages: int) -> None:
        """Scroll by whole pages; going up lets go of the end, coming back to it holds on again."""
        if pages < 0:
            self.release_anchor()
            self.scroll_page_up(animate=False)
        else:
            self.scroll_page_down(animate=False)

    def go_to(self, view: TurnView) -> None:
        self.release_anchor()
        self.screen.set_focus(view, scroll_visible=False)  # now, not when the app gets to it
        self.scroll_to_widget(view, animate=False)
