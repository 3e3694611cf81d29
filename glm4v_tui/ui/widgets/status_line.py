"""The bottom line: where is asked, how full the context is, what keys do, what the GPU holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.content import Content

from glm4v_tui.plain import plain_line
from glm4v_tui.ui.widgets.gauge import VramGauge
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.screen import Screen

    from glm4v_tui.engine.protocol import MemoryReading
    from glm4v_tui.session import ChatSession

_WARN, _ALARM = 0.8, 0.95


class ContextGauge(Words):
    """Tokens used, tokens that the attached images will add, tokens there are."""

    DEFAULT_CSS = "ContextGauge { width: auto; padding: 0 2 0 1; color: $text-muted; }"

    def show_tokens(self, used: int | None, coming: int, written: int, length: int | None) -> None:
        """Show how full the context is, as far as that is known.

        Args:
            used: None where nobody has counted: then nothing is shown.
            coming: Of images that go with the next question.
            written: Of the text that is being written, roughly.
            length: None when the model does not say.
        """
        more = coming + written
        if used is None or not (used or more):
            self.show("")
            return
        total = f"/{_short(length)}" if length else ""
        about = "~" if written else ""
        words = f"context {_short(used)}{f'+{about}{_short(more)}' if more else ''}{total}"
        share = (used + more) / length if length else 0.0
        color = "$text-error" if share > _ALARM else "$text-warning" if share > _WARN else ""
        self.show(Content.styled(words, color))


class Lamp(Words):
    """Where what is asked goes: stays it on this machine, or which host gets it."""

    DEFAULT_CSS = "Lamp { width: auto; max-width: 32; padding: 0 1; text-wrap: nowrap; }"

    def show_session(self, session: ChatSession) -> None:
        """By the model of now; while one is loaded, by the engine that was named."""
        model, command = session.model, session.command
        if model is not None and model.is_elsewhere:
            self.show(Content.styled(f"● {plain_line(model.host)}", "bold $text-warning"))
        elif model is not None and model.host:
            self.show(Content.styled("● this machine", "$text-success"))
        elif model is None and command is not None and command.engine:
            self.show(Content.styled(f"○ {plain_line(command.engine)}", "$text-muted"))
        else:
            self.show(Content.styled("● local", "$text-success"))


class KeyHints(Words):
    """The keys of what has the focus, in the order of their bindings."""

    DEFAULT_CSS = """
    KeyHints {
        width: 1fr; height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._show_bindings)
        self.call_after_refresh(self._show_bindings, self.screen)

    def _show_bindings(self, screen: Screen[object]) -> None:
        shown = {
            active.binding.description: active.binding
            for active in reversed(screen.active_bindings.values())
            if active.binding.show and active.enabled
        }
        hints = Content("  ").join(
            Content.assemble(
                (self.app.get_key_display(binding), "$footer-key-foreground"), f" {words}"
            )
            for words, binding in reversed(shown.items())
        )
        self.show(hints)


class StatusLine(Horizontal):
    DEFAULT_CSS = """
    StatusLine {
        height: 1; background: $panel; color: $foreground;
        VramGauge { padding: 0 1; max-width: 50%; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._context_gauge = ContextGauge()
        self._memory_gauge = VramGauge(compact=True)
        self._lamp = Lamp()

    def compose(self) -> ComposeResult:
        yield self._lamp
        yield KeyHints()
        yield self._context_gauge
        yield self._memory_gauge

    def show_place(self, session: ChatSession) -> None:
        """See :class:`Lamp`."""
        self._lamp.show_session(session)

    def show_context(self, used: int | None, coming: int, written: int, length: int | None) -> None:
        """See :meth:`ContextGauge.show_tokens`."""
        self._context_gauge.show_tokens(used, coming, written, length)

    def show_memory(self, reading: MemoryReading | None) -> None:
        self._memory_gauge.update_worker(reading)

    def show_coming(self, needed: int | None) -> None:
        """See :meth:`VramGauge.update_coming`."""
        self._memory_gauge.update_coming(needed)


def _short(tokens: int | None) -> str:
    if tokens is None:
        return "?"
    return f"{tokens / 1000:.1f}k" if tokens >= 1000 else str(tokens)
