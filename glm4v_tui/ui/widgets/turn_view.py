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
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Region
from textual.message import Message

from glm4v_tui.engine.protocol import FinishReason
from glm4v_tui.errors import ImageError
from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.result_mark import RESULT_MARK
from glm4v_tui.session import Turn, TurnState
from glm4v_tui.ui.widgets.one_layout import OneLayout
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from glm4v_tui.ui.region_marks import Mark
    from glm4v_tui.ui.task_desk import TaskDesk
    from glm4v_tui.ui.widgets.answer_text import AnswerText
    from glm4v_tui.ui.widgets.result_view import ResultView


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
        _key("b", "request('branch')", "Branch", id="turn.branch",
             tooltip="Another chat that begins with all up to here"),
        _key("v", "request('view')", "View images", id="turn.view"),
        _key("t", "toggle_thinking", "Thinking", id="turn.thinking"),
        _key("J", "toggle_json", "JSON", id="turn.json",
             tooltip="The result of a task as it was written, or its panel"),
        _key("up,k", "request('previous')", "Previous turn", id="turn.previous", show=False),
        _key("down,j", "request('next')", "Next turn", id="turn.next", show=False),
    ]  # fmt: skip

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
        .eased { color: $text-muted; height: auto; padding: 0 0 0 1; display: none; }
        .foot { color: $text-muted; height: auto; padding: 0 0 0 1; }
        .pictures { height: auto; padding: 0 0 0 2; content-align: left top; }
        & > AnswerText { padding: 0 0 0 1; }
        .beside { height: auto; }
        .beside > .pictures { width: auto; min-width: 8; }
        .beside.-marked > .pictures { max-width: 66%; }
        .legend { width: 1fr; height: auto; padding: 0 0 0 2; display: none; }
    }
    """

    @dataclass
    class Requested(Message):
        """The user wants something done with this turn."""

        view: TurnView
        what: str
        taken: asyncio.Event = field(default_factory=asyncio.Event)
        """To be set when it has been done, or begun."""

    def __init__(self, turn: Turn, picture_height: int = 16, desk: TaskDesk | None = None) -> None:
        super().__init__()
        self.turn = turn
        self._desk = desk if turn.call else None
        self._picture_height = picture_height
        self._result: ResultView | None = None
        self._image_words: Sequence[str] = ()
        self._question = Words(self._question_words(), classes="question")
        self._thinking = Words(classes="thinking")
        self._eased = Words(classes="eased")
        self._foot = Words(self._foot_words(), classes="foot")
        self._answer: AnswerText | None = None
        self._legend = Words(classes="legend")
        self._shown = ""
        self._is_unfolded = False
        self._following = asyncio.Lock()

    def compose(self) -> ComposeResult:
        yield self._question
        if self.turn.question.attachments and self._picture_height:
            yield from self._compose_pictures()
        yield self._eased
        yield self._foot

    async def on_mount(self) -> None:
        await self.follow()

    async def follow(self) -> None:
        """Show what the turn has become since the last time."""
        async with self._following:
            self._show_eased()
            await self._show_thinking()
            if self._desk is not None:
                await self._show_result(self._desk)
            else:
                await self._show_answer(plain_text(self.turn.answer.text))
            self._update_foot()

    def tell_of_images(self, words: Sequence[str]) -> None:
        """Say beside each image what has become of its file; "" and nothing when all is well."""
        self._image_words = words
        self._question.show(self._question_words())

    def contains(self, wanted: str) -> bool:
        """Whether question, answer or image names hold these words (given case-folded)."""
        question = self.turn.question
        texts = [question.text, self.turn.raw, *(image.path for image in question.attachments)]
        if self._result is not None:
            texts += [self.title, self._result.words, self._legend.plain]
        return any(wanted in text.casefold() for text in texts)

    @property
    def title(self) -> str:
        """Of the task; empty for a question in free words."""
        return self._desk.title_of(self.turn.call) if self._desk and self.turn.call else ""

    @property
    def answer_text(self) -> str:
        """What is copied: the answer, or the result of a task as JSON."""
        return self._result.text if self._result else self.turn.answer.text

    @property
    def code_blocks(self) -> list[str]:
        """The fenced blocks of the answer, without their fences."""
        return [block[2] for block in _FENCED.finditer(self.turn.answer.text)]

    def place_of(self, wanted: str) -> Region:
        """Where these words (given case-folded) stand, in the coordinates of the conversation."""
        if self._result is not None and (row := self._result.line_of(wanted)) is not None:
            return Region(0, self.virtual_region.y + row, 1, 1)
        line = self._answer.line_of(wanted) if self._answer else None
        if self._answer is None or line is None:
            return self.virtual_region
        return Region(0, self._answer.virtual_region.y + self.virtual_region.y + line, 1, 1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Offer only what this turn has something for."""
        match action, parameters:
            case "request", ("copy",):
                return bool(self.answer_text)
            case "request", ("copy_code",):
                return bool(self.code_blocks)
            case "request", ("view",):
                return bool(self.turn.question.attachments)
            case "toggle_thinking", _:
                return bool(self._thoughts[0])
            case "toggle_json", _:
                return self._result is not None
        return True

    async def action_request(self, what: str) -> None:
        request = self.Requested(self, what)
        self.post_message(request)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(request.taken.wait(), _TAKEN_WITHIN_S)

    async def action_toggle_thinking(self) -> None:
        self._is_unfolded = not self._is_unfolded
        await self._show_thinking()

    async def action_toggle_json(self) -> None:
        if self._result is not None:
            await self._result.toggle_raw()

    async def on_click(self, event: events.Click) -> None:
        if event.widget is self._thinking:
            await self.action_toggle_thinking()

    # The parts ------------------------------------------------------------------------------

    def _question_words(self) -> Content:
        turn = self.turn
        queued = turn.state is TurnState.QUEUED
        mark = ("queued  ", "$text-warning") if queued else ""
        badge = (f" {self.title} ", "bold $primary on $primary 20%") if self.title else ""
        space = "  " if self.title else ""
        asked = (plain_text(turn.question.text), "bold")
        lines = [Content.assemble(mark, badge, space, asked)]
        for number, image in enumerate(turn.question.attachments, 1):
            name = plain_line(Path(image.path).name)
            part = " (part)" if image.crop else ""
            facts = f"{number} {name}{part} · {image.width}×{image.height}"
            told = "".join(self._image_words[number - 1 : number])
            trouble = (f" · {told}" if told else "", "$text-warning")
            lines.append(Content.assemble((facts, "$text-muted"), trouble))
        return Content("\n").join(lines)

    def _compose_pictures(self) -> ComposeResult:
        # Not imported with the module: the first frame has no picture and no numpy.
        from glm4v_tui.ui.widgets.picture import Picture

        for index, image in enumerate(self.turn.question.attachments):
            picture = Picture(
                Path(image.path),
                crop=image.crop,
                variant=image.variant,
                image_size=None if image.crop else (image.width, image.height),
                classes="pictures",
            )
            picture.styles.max_height = self._picture_height
            if self.turn.call is not None and not index:
                yield Horizontal(picture, self._legend, classes="beside")
            else:
                yield picture

    @property
    def _thoughts(self) -> tuple[str, bool]:
        """What was thought before the answer, and whether that goes on."""
        answer, call = self.turn.answer, self.turn.call
        if call is None or not call.reasoning_tokens or answer.thinking:
            return answer.thinking, answer.is_thinking
        before, mark, _ = answer.text.rpartition(RESULT_MARK)
        is_result = bool(mark) or answer.text.lstrip()[:1] in ("", "{", "[")
        return (before.strip(), False) if is_result else (answer.text.strip(), True)

    def _show_eased(self) -> None:
        """What was done because the memory did not suffice."""
        self._eased.show("\n".join(f"· {plain_line(words)}" for words in self.turn.eased))
        self._eased.display = bool(self.turn.eased)

    async def _show_thinking(self) -> None:
        thinking, is_thinking = self._thoughts
        if not (thinking or is_thinking):
            return
        if not self._thinking.is_attached:
            await self.mount(self._thinking, before=self._answer or self._result or self._foot)
        words = len(thinking.split())
        sign = "▾" if self._is_unfolded else "▸"
        state = "Thinking …" if is_thinking and not self.turn.state.is_over else "Thought"
        text = f"{sign} {state} ({words} words, t unfolds)"
        if self._is_unfolded:
            text = f"{sign} {state}\n{plain_text(thinking)}"
        self._thinking.show(text)

    async def _show_result(self, desk: TaskDesk) -> None:
        if self._result is None:
            if not self.turn.raw:
                return
            self._result = _new_result(self.turn, desk)
            await self.mount(self._result, before=self._foot)
        await self._result.follow()

    def on_result_view_known(self) -> None:
        self._update_foot()
        marks = self.marks
        self._legend.show(_legend(marks))
        self._legend.display = bool(marks)
        for beside in self.query(".beside").results():
            beside.set_class(bool(marks), "-marked")
        for picture in self.query(".beside > .pictures").results():
            picture.set_marks(marks)  # type: ignore[attr-defined]
        self.refresh_bindings()

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The places of the result in the first image."""
        outcome = self._result.outcome if self._result else None
        if outcome is None or not outcome.regions or not self.turn.question.attachments:
            return ()
        from glm4v_tui.ui.region_marks import marks_of, tone_colors

        crop = self.turn.question.attachments[0].crop
        return marks_of(outcome.regions[0], crop, tone_colors(self.app.theme_variables))

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
        if busy := _busy_words(turn):
            return Content(busy)
        match turn.state:
            case TurnState.QUEUED | TurnState.ANSWERING:
                return Content("")
            case TurnState.READING:
                return Content("reading the question …")
        if self._result is not None and self._result.outcome is None:
            return Content("reading the result …")
        return Content(" · ".join(_finish_words(turn)))


def _lost(turn: Turn) -> str:
    """What a failure means for the images of its question."""
    if not turn.question.attachments or turn.leaves_images or turn.is_remembered:
        return ""
    return "Its images are not part of the conversation; attach them again to ask about them."


def _busy_words(turn: Turn) -> str:
    """What keeps the answer waiting, besides reading the question."""
    if turn.is_stopping and not turn.state.is_over:
        return "stopping …"
    if turn.consent is not None:
        return "waiting for your answer …"
    progress = turn.progress
    if progress is None or not progress.total:
        return ""
    share = f"{progress.done / progress.total:.0%}"
    match progress.stage:
        case "weights":
            return f"loading the model again: {share}"
        case "prompt":
            return f"reading the question: {share} of {progress.total:,} tokens"
    return ""


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
    if turn.reason is None or not usage.is_counted:  # nobody has told, or a server does not count
        return words
    if usage.prompt_tokens:
        images = "" if usage.image_tokens is None else f" ({usage.image_tokens:,} image)"
        words.append(f"{usage.prompt_tokens:,} in{images}")
    words.append(f"{usage.completion_tokens:,} out")
    return words


def _new_answer() -> AnswerText:
    # Brings a Markdown parser with it: needed only once there is an answer.
    from glm4v_tui.ui.widgets.answer_text import AnswerText

    return AnswerText()


def _new_result(turn: Turn, desk: TaskDesk) -> ResultView:
    from glm4v_tui.ui.widgets.result_view import ResultView

    return ResultView(turn, desk)


def _legend(marks: tuple[Mark, ...]) -> Content:
    from glm4v_tui.ui.region_marks import legend

    return legend(marks)
