"""A question of the model's process that takes a yes or a no: one line, two keys."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.message import Message

from glm4v_tui.plain import plain_line
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType

_DEAF_S = 0.6
"""What is typed when the line appears was meant for the composer."""


class ConsentBar(Words, can_focus=True):
    """Asks. While it has the focus y and n answer; all else goes to the composer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="consent.yes",
                tooltip="Read images smaller, where the memory does not suffice"),
        Binding("n", "answer(False)", "No", id="consent.no",
                tooltip="Keep their detail; something else is tried"),
    ]  # fmt: skip

    DEFAULT_CSS = """
    ConsentBar {
        height: auto; background: $warning 20%; color: $text; padding: 0 1;
        &:focus { background: $warning 35%; }
    }
    """

    @dataclass
    class Answered(Message):
        is_given: bool

    @dataclass
    class Typed(Message):
        """A key that was meant for the composer."""

        key: events.Key

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = plain_line(question)
        self._since = time.monotonic()

    def on_mount(self) -> None:
        self._show(is_listening=self.has_focus)

    def on_focus(self) -> None:
        self._show(is_listening=True)

    def on_blur(self) -> None:
        self._show(is_listening=False)

    def _show(self, *, is_listening: bool) -> None:
        keys = "y / n" if is_listening else "Tab, then y / n"
        self.show(Content.assemble((self._question, "bold"), "  ", (keys, "$text-muted")))

    def action_answer(self, is_given: bool) -> None:
        if time.monotonic() - self._since < _DEAF_S:
            from textual import events

            letter = "y" if is_given else "n"
            self.post_message(self.Typed(events.Key(letter, letter)))
        else:
            self.post_message(self.Answered(is_given))

    def on_key(self, event: events.Key) -> None:
        if event.is_printable and event.key not in ("y", "n"):
            event.stop()
            self.post_message(self.Typed(event))
