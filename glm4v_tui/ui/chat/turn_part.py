"""Going through the answers, searching them, and what is done with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from glm4v_tui.plain import plain_text
from glm4v_tui.ui.chat.ask_part import AskPart
from glm4v_tui.ui.chat.image_part import ImagePart

if TYPE_CHECKING:
    from textual.binding import BindingType

    from glm4v_tui.ui.widgets.search_bar import SearchBar
    from glm4v_tui.ui.widgets.turn_view import TurnView


class TurnPart(AskPart, ImagePart):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "answers", "Answers", id="chat.answers", show=False, priority=True,
                tooltip="Go to the newest answer, where single keys copy, edit and ask again"),
        Binding("ctrl+f", "search", "Search", id="chat.search", priority=True, show=False),
        Binding("pageup", "scroll_log(-1)", "Scroll up", id="chat.page_up", show=False,
                priority=True),
        Binding("pagedown", "scroll_log(1)", "Scroll down", id="chat.page_down", show=False,
                priority=True),
    ]  # fmt: skip

    def on_turn_view_requested(self, message: TurnView.Requested) -> None:
        view = message.view
        self.call_next(message.taken.set)
        match message.what:
            case "copy":
                self._copy(view.answer_text, "The result" if view.turn.call else "The answer")
            case "copy_code":
                self._copy("\n".join(view.code_blocks), "The code")
            case "edit":
                self._edit(view.turn)
            case "regenerate":
                self._ask_again(view.turn)
            case "view":
                self._view(view.turn.question.attachments, [view])
            case "branch":
                self.run_worker(self._branch(view.turn), group="chats")
            case "previous":
                self._go_to(view, -1)
            case "next":
                self._go_to(view, 1)

    def _go_to(self, view: TurnView, step: int) -> None:
        if (neighbor := self._log.neighbor(view, step)) is not None:
            self._log.go_to(neighbor)
        elif step > 0:
            self._question.composer.focus()

    def _copy(self, text: str, what: str) -> None:
        if not text:
            self.notify(f"{what} is empty: nothing was copied.", markup=False)
            return
        self.app.copy_to_clipboard(plain_text(text))
        self.notify(f"{what} was sent to the terminal's clipboard (OSC 52).", markup=False)

    def action_scroll_log(self, pages: int) -> None:
        self._log.scroll_pages(pages)

    async def action_search(self) -> None:
        """Keys that follow at once wait here until the bar can take them."""
        from glm4v_tui.ui.widgets.search_bar import SearchBar

        if not self.query(SearchBar):
            await self.mount(SearchBar(), before=self.query_one("#middle"))
        self.query_one(SearchBar).focus_input()

    def on_search_bar_wanted(self, message: SearchBar.Wanted) -> None:
        message.bar.show_count(*self._log.find(message.text, message.step))

    def on_search_bar_closed(self) -> None:
        self._log.find("", 0)
        self._question.composer.focus()

    def action_answers(self) -> None:
        if self.focused is self._question.composer and self._question.composer.may_complete:
            self._question.composer.call_later(self._complete_or_leave)
        else:
            self._leave_composer()

    def _complete_or_leave(self) -> None:
        """Runs after the letters that came before the key."""
        if not self._question.composer.complete():
            self._leave_composer()

    def _leave_composer(self) -> None:
        views = self._log.views
        if views and self.focused is self._question.composer:
            self._log.go_to(views[-1])
        else:
            self._question.composer.focus()
