"""Going through the images, and choosing which of them are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from glm4v_tui.errors import GlmError
from glm4v_tui.ui.triage.verdict_part import VerdictPart
from glm4v_tui.ui.triage.words import count

if TYPE_CHECKING:
    from textual.binding import BindingType

    from glm4v_tui.ui.screens.triage_filter import Choice
    from glm4v_tui.ui.triage.key_gate import Press

_END = 1 << 31


class MovePart(VerdictPart):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,right,pagedown", "move(1)", "Next", id="triage.next"),
        Binding("p,left,pageup", "move(-1)", "Previous", id="triage.previous", show=False),
        Binding("right_square_bracket", "move(10)", "Ten on", id="triage.ten_on", show=False),
        Binding("left_square_bracket", "move(-10)", "Ten back", id="triage.ten_back", show=False),
        Binding("home", f"move({-_END})", "First", id="triage.first", show=False),
        Binding("end", f"move({_END})", "Last", id="triage.last", show=False),
        Binding("tab", "next_open", "Next undecided", id="triage.next_open", show=False,
                tooltip="Go to the next image without a verdict"),
        Binding("slash", "filter", "Filter", id="triage.filter",
                tooltip="Show the undecided, a label, the flagged, disagreements"),
    ]  # fmt: skip

    def action_move(self, by: int) -> None:
        """At once: nothing is lost by going where nobody wanted to."""
        review, index = self._review, self._index
        if review is not None and index is not None and review.queue.move(by):
            self._moves.append((self._press.at, index))
            self._say("")
            self.show_item()

    def action_next_open(self) -> None:
        review = self._review
        if review is None or self._index is None:
            return
        try:
            has_more = review.advance()
        except GlmError as error:
            self._fail(error)
            return
        if has_more:
            self.show_item()
        else:
            self._say("Every image that is shown is decided.")

    # The filter ---------------------------------------------------------------------------------

    def action_filter(self) -> None:
        self._when_meant(self._choose_filter, is_door=True)

    def _choose_filter(self, press: Press) -> None:  # noqa: ARG002
        from glm4v_tui.ui.screens.triage_filter import FilterScreen, choices_for

        if self._review is not None:
            choices = choices_for(self._review)
            self.app.push_screen(FilterScreen(choices, self._filter_name), self._take_filter)

    def _take_filter(self, choice: Choice | None) -> None:
        review = self._review
        if review is None or choice is None:
            return
        before = review.filter
        try:
            shown = review.show(choice.filter)
            if not shown:
                review.show(before)
        except GlmError as error:
            self._fail(error)
            return
        if not shown:
            self._say(f"There is no image for: {choice.name}. The ones before are shown.")
            return
        self._filter_name = choice.shown_name
        self._say(f"{count(shown, 'image')} shown.")
        self.show_item()
