"""What a task's answer has come to: fields being written, a panel, or its raw text."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import msgspec
from textual.containers import Vertical
from textual.message import Message

from glm4v_tui.engine.protocol import FinishReason
from glm4v_tui.plain import plain_text
from glm4v_tui.tasks.panel import Panel, Row, plain_panel
from glm4v_tui.tasks.partial import written_so_far
from glm4v_tui.tasks.results import ResultState, result_text
from glm4v_tui.ui.panel_lines import Sheet, SheetLines, SheetStyle, sheet_style
from glm4v_tui.ui.widgets.answer_text import AnswerText, DrawnLines
from glm4v_tui.ui.widgets.one_layout import OneLayout

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from glm4v_tui.session import Turn
    from glm4v_tui.tasks.outcome import Outcome
    from glm4v_tui.ui.task_desk import TaskDesk

_CUT = (
    "The result is incomplete: the answer ended after {count} characters of it. "
    "Allow a longer answer (generation.max_new_tokens), or ask about a part of the image."
)
_ENDED = "The result is incomplete: it ended after {count} characters."
_WRONG = "The answer is not in the task's form: {reason}"


class PanelText(DrawnLines[Sheet, SheetStyle]):
    """A panel."""

    def __init__(self) -> None:
        super().__init__(Sheet(), SheetLines())

    def _style(self) -> SheetStyle:
        return sheet_style(self.app.theme_variables)


class ResultView(Vertical, OneLayout):
    """Follows a turn of a task; its result is read once, in a thread, when it is over."""

    DEFAULT_CSS = """
    ResultView {
        height: auto; padding: 0 0 0 1;
        AnswerText { display: none; }
        &.-raw AnswerText { display: block; }
        &.-raw PanelText.-whole { display: none; }
    }
    """

    class Known(Message):
        """The result was read."""

    def __init__(self, turn: Turn, desk: TaskDesk) -> None:
        super().__init__()
        self._turn = turn
        self._desk = desk
        self._panel = PanelText()
        self._raw = AnswerText()
        self._shown_raw = ""
        self._reading: asyncio.Task[None] | None = None
        self.outcome: Outcome | None = None
        """None until the answer is over and was read."""

    def compose(self) -> ComposeResult:
        yield self._panel
        yield self._raw

    async def follow(self) -> None:
        """Show what the answer has become. Never waits for the task's own code."""
        if self.outcome is not None or not self._turn.raw:
            return
        if not self._turn.state.is_over:
            await self._panel.show(_growing(self._turn.raw))
            if self.has_class("-raw"):
                await self._show_raw()
        elif self._reading is None:
            if (known := self._desk.known_outcome(self._turn)) is not None:
                await self._take(known)
            else:
                self._reading = asyncio.create_task(self._read())

    async def toggle_raw(self) -> None:
        """Show the JSON in place of the panel, or the panel again."""
        if self.outcome is not None and self.outcome.result.state is not ResultState.WHOLE:
            return  # it is shown raw, there is no other form of it
        self.toggle_class("-raw")
        await self._show_raw()

    @property
    def text(self) -> str:
        """The result as JSON, as the model wrote it."""
        return self.outcome.result.json if self.outcome else result_text(self._turn.raw)

    @property
    def words(self) -> str:
        """All that the panel says."""
        return self._panel.text

    def line_of(self, wanted: str) -> int | None:
        """The row in the conversation's coordinates with these words (given case-folded)."""
        for part in (self._panel, self._raw):
            if part.display and (line := part.line_of(wanted)) is not None:
                return part.virtual_region.y + self.virtual_region.y + line
        return None

    async def _read(self) -> None:
        outcome = await self._desk.outcome(self._turn)
        if self.is_attached:
            await self._take(outcome)

    async def _take(self, outcome: Outcome) -> None:
        self.outcome = outcome
        whole = outcome.result.state is ResultState.WHOLE
        self._panel.set_class(whole, "-whole")
        self.set_class(self.has_class("-raw") or not whole, "-raw")
        await self._panel.show(self._sheet(outcome))
        await self._show_raw()
        self.post_message(self.Known())

    def _sheet(self, outcome: Outcome) -> Sheet:
        result = outcome.result
        match result.state:
            case ResultState.CUT:
                words = _CUT if self._turn.reason is FinishReason.LENGTH else _ENDED
                return Sheet(message=words.format(count=len(result.json)))
            case ResultState.WRONG:
                return Sheet(message=_WRONG.format(reason=result.reason))
        count = len(outcome.regions[0]) if outcome.regions else 0
        return Sheet(outcome.panel, count, outcome.warnings)

    async def _show_raw(self) -> None:
        if not self.has_class("-raw"):
            return
        text = _fenced(self.text)
        if text != self._shown_raw:
            self._shown_raw = text
            await self._raw.show(text)


def _growing(raw: str) -> Sheet:
    value = written_so_far(result_text(raw))
    if not isinstance(value, dict):
        return Sheet()
    panel = plain_panel({name: item for name, item in value.items() if item not in ([], {}, [{}])})
    last = panel.parts[-1] if panel.parts else None
    if isinstance(last, Row):  # it may grow yet
        return Sheet(Panel(parts=(*panel.parts[:-1], Row(last.name, f"{last.value} …"))))
    return Sheet(panel)


def _fenced(text: str) -> str:
    """JSON as a block of code, put in lines; what is no JSON as it is."""
    try:
        pretty = msgspec.json.format(text.encode(errors="replace"), indent=2).decode()
    except (msgspec.DecodeError, RecursionError):
        pretty = plain_text(text)
    longest = max(map(len, re.findall("~+", pretty)), default=0)
    fence = "~" * max(3, longest + 1)
    return f"{fence}json\n{plain_text(pretty)}\n{fence}\n"
