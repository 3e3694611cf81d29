"""Where the question is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.message import Message
from textual.widgets import TextArea

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.binding import BindingType


class Composer(TextArea):
    """A text area that sends with Enter, recalls with the arrow keys and reports pastes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", id="composer.send", tooltip="Ask the question"),
        Binding("shift+enter,ctrl+j,alt+enter", "newline", "New line", id="composer.newline",
                show=False),
        Binding("up", "recall(-1)", "Earlier question", id="composer.earlier", show=False),
        Binding("down", "recall(1)", "Later question", id="composer.later", show=False),
        Binding("backspace", "erase", "Erase, or detach", id="composer.erase", show=False,
                tooltip="In an empty composer it takes away the last attached image"),
    ]  # fmt: skip

    DEFAULT_CSS = """
    Composer {
        height: auto;
        min-height: 3;
        max-height: 10;
        border: round $border-blurred;
        background: $background;
        padding: 0 1;
        scrollbar-size-vertical: 1;
        &:focus { border: round $border; }
    }
    """

    @dataclass
    class Submitted(Message):
        text: str

    @dataclass
    class Pasted(Message):
        """Text was pasted or dropped; the screen decides whether it names images."""

        text: str

    class DetachRequested(Message):
        """Backspace in an empty composer."""

    def __init__(self, history: Sequence[str] = (), *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(
            id=id,
            soft_wrap=True,
            tab_behavior="focus",
            placeholder="Ask about the image  ·  Enter sends, Ctrl+J starts a new line",
            highlight_cursor_line=False,
        )
        self.cursor_blink = False  # every blink would be bytes on the link
        self._history = list(history)
        self._recalled = len(self._history)
        self._draft = ""

    def set_history(self, history: Sequence[str]) -> None:
        """Give the questions of earlier sessions, oldest first."""
        self._history = list(history)
        self._recalled = len(self._history)

    def remember(self, text: str) -> None:
        """Add a question to what the arrow keys recall."""
        if not self._history or self._history[-1] != text:
            self._history.append(text)
        self._recalled = len(self._history)
        self._draft = ""

    def replace_text(self, text: str) -> None:
        """Show other text, with the cursor at its end; undo brings the old text back."""
        self.replace(text, *self.document_range())
        self.move_cursor(self.document.end)

    def document_range(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where the text starts and ends, as (row, column)."""
        return self.document.start, self.document.end

    def action_send(self) -> None:
        self.post_message(self.Submitted(self.text))

    def action_newline(self) -> None:
        self.insert("\n")

    def action_erase(self) -> None:
        if self.text:
            self.action_delete_left()
        else:
            self.post_message(self.DetachRequested())

    def action_recall(self, step: int) -> None:
        """Move the cursor; past the first or last line, go through earlier questions."""
        row = self.cursor_location[0]
        at_edge = row == 0 if step < 0 else row == self.document.line_count - 1
        if not at_edge:
            self.action_cursor_up() if step < 0 else self.action_cursor_down()
            return
        self._recall(self._recalled + step)

    def _recall(self, index: int) -> None:
        if not 0 <= index <= len(self._history):
            return
        if self._recalled == len(self._history):
            self._draft = self.text
        self._recalled = index
        self.replace_text(self._history[index] if index < len(self._history) else self._draft)

    async def _on_key(self, event: events.Key) -> None:
        """Keep the text area from taking Enter as text, wherever the user has put "send".

        A priority binding would not do: it overtakes letters that are still on their way here.
        """
        if not event.is_printable:
            active = self.screen.active_bindings.get(event.key)
            if active is not None and active.node is self and active.binding.id:
                event.prevent_default()

    async def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        self.post_message(self.Pasted(event.text))
