"""The top line: which model, how it runs, what it is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from glm4v_tui.plain import plain_line
from glm4v_tui.session import ModelState, Turn, TurnState
from glm4v_tui.ui.widgets.bar import Part, bar

if TYPE_CHECKING:
    from glm4v_tui.engine.protocol import Loading, ModelInfo
    from glm4v_tui.session import ChatSession

_BAR_CELLS = 12
_STAGES = {
    "start": "starting",
    "download": "downloading",
    "weights": "loading",
    "prepare": "preparing",
}


class ModelBar(Widget):
    """One line; draws itself anew only when its words have changed."""

    DEFAULT_CSS = """
    ModelBar { height: 1; padding: 0 1; background: $panel; color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._left = Content("glm4v-tui")
        self._right = Content("")

    def show(self, session: ChatSession, silent_s: float = 0.0) -> None:
        """Show the state of a session; ``silent_s`` seconds without word from the worker."""
        left, right = _model_words(session.model), _state_words(session, silent_s)
        if (left.markup, right.markup) != (self._left.markup, self._right.markup):
            self._left, self._right = left, right
            self.refresh()

    def render(self) -> Content:
        room = self.content_size.width - self._right.cell_length
        left = self._left.truncate(max(0, room - 1), ellipsis=True)
        return Content.assemble(left, " " * max(0, room - left.cell_length), self._right)


def _model_words(model: ModelInfo | None) -> Content:
    if model is None:
        return Content.styled("glm4v-tui", "bold")
    name = (plain_line(model.name), "bold")
    return Content.assemble(name, ("  ·  " + f"{model.precision} · {model.device}", "$text-muted"))


def _state_words(session: ChatSession, silent_s: float) -> Content:
    if silent_s:
        words = f"no sign of life for {silent_s:.0f} s, F8 ends it"
        return Content.styled(words, "bold $text-warning")
    match session.model_state:
        case ModelState.NONE:
            return Content.styled("no model: F4 chooses one", "$text-warning")
        case ModelState.LOADING:
            return _loading_words(session.loading)
        case ModelState.FAILED:
            is_far = session.command is not None and session.command.engine
            words = "the server is not there" if is_far else "no model: loading failed"
            return Content.styled(words, "bold $text-error")
        case ModelState.GONE:
            return Content.styled("model not in memory", "$text-warning")
    return _turn_words(session.current, session.turns[-1] if session.turns else None)


def _loading_words(loading: Loading | None) -> Content:
    if loading is None:
        return Content("starting")
    words = _STAGES.get(loading.stage, loading.stage)
    if not loading.total:
        return Content.styled(f"{words} …", "$text-accent")
    share = min(1.0, loading.done / loading.total)
    figures = f"{loading.done / 1e9:.1f}/{loading.total / 1e9:.1f} GB"
    return Content.assemble(
        (f"{words} ", "$text-accent"),
        bar((Part(share, "$primary"),), 1, _BAR_CELLS),
        (f" {share:4.0%} {figures}", "$text-muted"),
    )


def _turn_words(current: Turn | None, last: Turn | None) -> Content:
    if current is not None and current.state is TurnState.READING:
        return Content.styled("reading …", "$text-accent")
    if current is not None:
        return Content.styled(f"answering  {_speed(current)}", "$text-success")
    if last is not None and last.state is TurnState.STOPPED:
        return Content.styled("stopped", "$text-warning")
    return Content.styled(f"ready  {_speed(last) if last else ''}".rstrip(), "$text-success")


def _speed(turn: Turn) -> str:
    return f"{turn.tokens_per_s:.0f} tok/s" if turn.tokens_per_s else ""
