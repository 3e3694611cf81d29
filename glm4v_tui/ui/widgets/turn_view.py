"""One turn in the chat log: the question with its pictures, the answer, what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Region
from textual.message import Message

from glm4v_tui.engine.protocol import FinishReason
from glm4v_tui.errors import ImageError
from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.session import Turn, TurnState
from glm4v_tui.ui.widgets.one_layout import OneLayout
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from glm4v_tui.chat import Answer
    from glm4v_tui.ui.widgets.answer_text import AnswerText


_key = partial(Binding, priority=True)
"""A key that works the moment it arrives, before those after it are handed to anybody: over a slow
link they come in a burst, and each is to act on the turn that the one before has led to."""

_TAKEN_WITHIN_S = 0.25

_FENCED = re.compile(r"^ {0,3}(`{3,}|~{3,}).*\n((?:.*\n)*?)(?: {0,3}\1|\Z)", re.MULTILINE)


class TurnView(Vertical, OneLayout, can_focus=True):
    """Shows a turn and follows it while the answer grows (:meth:`follow`)."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("y", "request('copy')", "Copy answer", id="turn.copy"),
        _key("c", "request('copy_code')", "Copy code", id="turn.copy_code"),
        _key("e", "request('edit')", "Edit", id="turn.edit", tooltip="Ask this differently"),
        _key("r", "request('regenerate')", "Again", id="turn.regenerate"),
        _key("v", "request('view')", "View images", id="turn.view"),
        _key("t", "toggle_thinking", "Thinking", id="turn.thinking"),
        _key("up,k", "request('previous')", "Previous turn", id="turn.previous", show=False),
        _key("down,j", "request('next')", "Next turn", id="turn.next", show=False),
    ]

    DEFAULT_CSS = """
    TurnView {
        height: auto;
        padding: 0 1 0 1;
        margin: 0 0 1 0;
        border-left: outer $background;
        &:focus { border-left: outer $primary; background: $boost; }
        &.-found { border-left: outer $warning; }
        .question { padding: 0 0 0 1; border-left: thick $secondary; height: auto; }
        .thinking { color: $text-muted; height: auto; padding: 0 0 0 1; }
        .foot { color: $text-muted; height: auto; padding: 0 0 0 1; }
        .pictures { height: auto; padding: 0 0 0 2; content-align: left top; }
        AnswerText { padding: 0 0 0 1; }
    }
    """

    @dataclass
    class Requested(Message):
        """The user wants something done with this turn."""

        view: TurnView
        what: str
        taken: asyncio.Event = field(default_factory=asyncio.Event)
        """To be set when it has been done, or begun."""

    def __init__(self, turn: Turn, picture_height: int = 16) -> None:
        super().__init__()
        self.turn = turn
        self._picture_height = picture_height
        self._question = Words(self._question_words(), classes="question")
        self._thinking = Words(classes="thinking")
        self._foot = Words(self._foot_words(), classes="foot")
        self._answer: AnswerText | None = None
        self._shown = ""
        self._is_unfolded = False
        self._following = asyncio.Lock()

    def compose(self) -> ComposeResult:
        yield self._question
        if self.turn.question.attachments and self._picture_height:
            yield from self._compose_pictures()
        yield self._foot

    async def on_mount(self) -> None:
        await self.follow()

    async def follow(self) -> None:
        """Show what the turn has become since the last time."""
        async with self._following:
            answer = self.turn.answer
            await self._show_thinking(answer)
            await self._show_answer(plain_text(answer.text))
            self._update_foot()

    def contains(self, wanted: str) -> bool:
        """Whether question, answer or image names hold these words (given case-folded)."""
        question = self.turn.question
        texts = [question.text, self.turn.raw, *(image.path for image in question.attachments)]
        return any(wanted in text.casefold() for text in texts)

    @property
    def code_blocks(self) -> list[str]:
        """The fenced blocks of the answer, without their fences."""
        return [block[2] for block in _FENCED.finditer(self.turn.answer.text)]

    def place_of(self, wanted: str) -> Region:
        """Where these words (given case-folded) stand, in the coordinates of the conversation."""
        line = self._answer.line_of(wanted) if self._answer else None
        if self._answer is None or line is None:
            return self.virtual_region
        return Region(0, self._answer.virtual_region.y + self.virtual_region.y + line, 1, 1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Offer only what this turn has something for."""
        match action, parameters:
            case "request", ("copy",):
                return bool(self.turn.answer.text)
            case "request", ("copy_code",):
                return bool(self.code_blocks)
            case "request", ("view",):
                return bool(self.turn.question.attachments)
            case "toggle_thinking", _:
                return bool(self.turn.answer.thinking)
        return True

    async def action_request(self, what: str) -> None:
        request = self.Requested(self, what)
        self.post_message(request)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(request.taken.wait(), _TAKEN_WITHIN_S)

    async def action_toggle_thinking(self) -> None:
        self._is_unfolded = not self._is_unfolded
        await self._show_thinking(self.turn.answer)

    async def on_click(self, event: events.Click) -> None:
        if event.widget is self._thinking:
            await self.action_toggle_thinking()

    # The parts ------------------------------------------------------------------------------

    def _question_words(self) -> Content:
        turn = self.turn
        queued = turn.state is TurnState.QUEUED
        mark = ("queued  ", "$text-warning") if queued else ""
        lines = [Content.assemble(mark, (plain_text(turn.question.text), "bold"))]
        for number, image in enumerate(turn.question.attachments, 1):
            name = plain_line(Path(image.path).name)
            part = " (part)" if image.crop else ""
            facts = f"{number} {name}{part} · {image.width}×{image.height}"
            lines.append(Content.styled(facts, "$text-muted"))
        return Content("\n").join(lines)

    def _compose_pictures(self) -> ComposeResult:
        # Not imported with the module: the first frame has no picture and no numpy.
        from glm4v_tui.ui.widgets.picture import Picture

        for image in self.turn.question.attachments:
            picture = Picture(
                Path(image.path),
                crop=image.crop,
                image_size=None if image.crop else (image.width, image.height),
                classes="pictures",
            )
            picture.styles.max_height = self._picture_height
            yield picture

    async def _show_thinking(self, answer: Answer) -> None:
        if not (answer.thinking or answer.is_thinking):
            return
        if not self._thinking.is_attached:
            await self.mount(self._thinking, before=self._answer or self._foot)
        words = len(answer.thinking.split())
        sign = "▾" if self._is_unfolded else "▸"
        state = "Thinking …" if answer.is_thinking and not self.turn.state.is_over else "Thought"
        text = f"{sign} {state} ({words} words, t unfolds)"
        if self._is_unfolded:
            text = f"{sign} {state}\n{plain_text(answer.thinking)}"
        self._thinking.show(text)

    async def _show_answer(self, text: str) -> None:
        if text == self._shown:
            return
        self._shown = text
        if self._answer is None:
            self._answer = _new_answer()
            await self.mount(self._answer, before=self._foot)
        await self._answer.show(text)

    def on_picture_failed(self) -> None:
        self._hide_told_cards()

    def _hide_told_cards(self) -> None:
        """An image whose failure is the turn's is not told of a second time in its own place."""
        is_told = isinstance(self.turn.error, ImageError)
        for face in self.query(".pictures").results():
            face.display = not (is_told and getattr(face, "has_card", False))

    def _update_foot(self) -> None:
        self._question.show(self._question_words())
        self._hide_told_cards()
        words = self._foot_words()
        self._foot.show(words)
        self._foot.display = bool(words)

    def _foot_words(self) -> Content:
        turn = self.turn
        if turn.error is not None:
            body = [part for part in (turn.error.body, turn.error.remedy, _lost(turn)) if part]
            return Content.assemble(
                (f"✗ {plain_text(turn.error.title)}", "bold $text-error"),
                *(f"\n{plain_text(part)}" for part in body),
            )
        match turn.state:
            case TurnState.QUEUED | TurnState.ANSWERING:
                return Content("")
            case TurnState.READING:
                return Content("reading the question …")
        return Content(" · ".join(_finish_words(turn)))


def _lost(turn: Turn) -> str:
    """What a failure means for the images of its question."""
    if not turn.question.attachments or turn.leaves_images or turn.is_remembered:
        return ""
    return "Its images are not part of the conversation; attach them again to ask about them."


def _finish_words(turn: Turn) -> list[str]:
    words = []
    if turn.state is TurnState.STOPPED:
        words.append("stopped")
    if turn.reason is FinishReason.LENGTH:
        words.append("cut at the length limit")
    if turn.timing.first_token_s is not None:
        words.append(f"first token {turn.timing.first_token_s:.2f} s")
    if turn.timing.decode_tokens_per_s is not None:
        words.append(f"{turn.timing.decode_tokens_per_s:.1f} tok/s")
    usage = turn.usage
    words.append(
        f"{usage.prompt_tokens:,} in ({usage.image_tokens:,} image) · "
        f"{usage.completion_tokens:,} out"
    )
    return words


def _new_answer() -> AnswerText:
    # Brings a Markdown parser with it: needed only once there is an answer.
    from glm4v_tui.ui.widgets.answer_text import AnswerText

    return AnswerText()
