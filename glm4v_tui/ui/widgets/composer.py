"""Where the question is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.message import Message
from textual.widgets import TextArea

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
        """The text was sent; the composer is empty again."""

        text: str

    @dataclass
    class Pasted(Message):
        """Text was pasted or dropped; the screen decides whether it names images."""

        text: str

    class DetachRequested(Message):
        """Backspace in an empty composer."""

    def __init__(self, load_history: Callable[[], Sequence[str]] = tuple) -> None:
        """Args:
        load_history: The questions of earlier sessions, oldest first; called when the first
            one is recalled.
        """
        super().__init__(
            soft_wrap=True,
            tab_behavior="focus",
            placeholder="Ask about the image  ·  Enter sends, Ctrl+J starts a new line",
            highlight_cursor_line=False,
        )
        self.cursor_blink = False  # every blink would be bytes on the link
        for key in ("f6", "f7"):  # the text area's for selecting; the screen has others for them
            self._bindings.key_to_bindings.pop(key, None)
        self._load_history = load_history
        self._earlier: list[str] | None = None
        """Questions of earlier sessions, once they are loaded."""
        self._asked: list[str] = []
        self._back = 0
        """How many questions back the shown one lies; 0 is what is being written."""
        self._draft = ""
        self.completions: Sequence[str] = ()
        """What the beginning of a text may become with the key that leaves the composer."""

    def replace_text(self, text: str) -> None:
        """Show other text, with the cursor at its end; undo brings the old text back."""
        self.replace(text, *self.document_range())
        self.move_cursor(self.document.end)

    def document_range(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where the text starts and ends, as (row, column)."""
        return self.document.start, self.document.end

    def action_send(self) -> None:
        text = self.text
        if text.strip():
            self.replace_text("")
            self.remember(text)
        self.post_message(self.Submitted(text))

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
        if at_edge:
            self._recall(self._back - step)
        elif step < 0:
            self.action_cursor_up()
        else:
            self.action_cursor_down()

    def _recall(self, back: int) -> None:
        if self._earlier is None:
            self._earlier = list(self._load_history())
        questions = self._earlier + self._asked
        if not 0 <= back <= len(questions):
            return
        if self._back == 0:
            self._draft = self.text
        self._back = back
        self.replace_text(questions[-back] if back else self._draft)

    def remember(self, text: str) -> None:
        """Let a text be recalled like a question that was asked."""
        if self._asked[-1:] != [text]:
            self._asked.append(text)
        self._back, self._draft = 0, ""

    async def _on_key(self, event: events.Key) -> None:
        """Obey the composer's own keys in their order among the letters.

        Left to themselves, the text area would take Enter as text before any binding is asked; a
        priority binding would overtake letters that are still on their way here, and one that the
        key bubbles to would come after the letters behind it.
        """
        if event.is_printable:
            return
        active = self.screen.active_bindings.get(event.key)
        if active is not None and active.node is self and active.binding.id:
            event.stop()
            event.prevent_default()
            await self.run_action(active.binding.action)

    @property
    def may_complete(self) -> bool:
        """Whether the text, or the letters on their way here, may be a name that was begun."""
        has_letters = not self.text and self.message_queue_size > 0
        return bool(self.completions) and (self.text.startswith("/") or has_letters)

    def complete(self) -> bool:
        """Write a begun name as far as all that fit agree; False when nothing fits."""
        fitting = [name for name in self.completions if name.startswith(self.text.lower())]
        if not self.text or not fitting:
            return False
        first, last = min(fitting), max(fitting)
        whole = first + " " if first == last else first[: _agreement(first, last)]
        if whole != self.text:
            self.replace_text(whole)
        return True

    async def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        self.post_message(self.Pasted(event.text))


def _agreement(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
