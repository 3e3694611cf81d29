"""``glm4v-tui ask``: one question, one answer on standard output."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.commands.start import (
    EMBEDDED,
    existing_paths,
    make_engine,
    model_of,
    sampling_of,
    settings_with,
)
from glm4v_tui.engine.protocol import LoadModel, RgbImage, Usage
from glm4v_tui.errors import NotAnImageError, UsageError
from glm4v_tui.plain import plain_text
from glm4v_tui.session import ChatSession, ModelState, Turn, TurnState

if TYPE_CHECKING:
    from pathlib import Path

    from glm4v_tui.chat import Attachment
    from glm4v_tui.config import Settings

INTERRUPTED = 130


@dataclass(frozen=True)
class AskOptions:
    """The command line, as it was given; None where nothing was."""

    paths: tuple[str, ...]
    question: str
    model: str | None = None
    precision: str | None = None
    device: str | None = None
    as_json: bool = False
    greedy: bool = False
    temperature: float | None = None
    top_p: float | None = None
    max_new_tokens: int | None = None
    seed: int | None = None
    debug: bool = False
    scripted: str | None = None


class AskTiming(msgspec.Struct, frozen=True):
    load_s: float
    first_token_s: float | None
    decode_tokens_per_s: float | None


class AskResult(msgspec.Struct, frozen=True):
    """What ``--json`` prints."""

    answer: str
    thinking: str
    finish_reason: str
    usage: Usage
    timing: AskTiming
    model: str
    precision: str
    device: str


def run(options: AskOptions) -> int:
    """Ask and print; the exit code.

    Raises:
        GlmError: a file, the settings or the model is wrong; nothing was printed then, except
            what the model had answered before it failed.
    """
    settings = settings_with(
        model__checkpoint=options.model,
        model__precision=options.precision,
        model__device=options.device,
        generation__temperature=0.0 if options.greedy else options.temperature,
        generation__top_p=options.top_p,
        generation__max_new_tokens=options.max_new_tokens,
        generation__seed=options.seed,
    )
    _check(options)
    found = existing_paths(options.paths)
    attachments, pixels = _open_all(found)
    is_scripted = options.scripted is not None
    model = LoadModel("script") if is_scripted else model_of(settings)
    if not is_scripted and not settings.model.checkpoint:
        sys.stderr.write(f"{EMBEDDED} --model names another.\n")
    return asyncio.run(_Asking(options, settings, model, pixels).run(attachments))


def _check(options: AskOptions) -> None:
    if not options.question.strip():
        raise UsageError("There is no question", "--question is empty.", "Write one after -q.")
    if options.temperature is not None and not options.temperature >= 0:
        raise UsageError("The temperature is not a number", "", "Give 0 or more.")
    if options.greedy and options.temperature:
        raise UsageError(
            "--greedy and --temperature contradict each other",
            "Greedy is a temperature of 0.",
            "Give one of them.",
        )


def _open_all(found: list[Path]) -> tuple[list[Attachment], dict[str, RgbImage]]:
    """Open every image before the model is loaded: a wrong file is told at once."""
    from glm4v_tui import images

    attachments, pixels = [], {}
    for path in found:
        if path.is_dir():
            raise NotAnImageError(
                "This is a folder", str(path), "Name the images in it: FOLDER/*.jpg"
            )
        opened = images.open_image(path)
        image = opened.image
        attachments.append(opened.attachment)
        pixels[opened.attachment.key] = RgbImage(image.width, image.height, image.tobytes())
    return attachments, pixels


class _Asking:
    """One question on its way."""

    def __init__(
        self,
        options: AskOptions,
        settings: Settings,
        model: LoadModel,
        pixels: dict[str, RgbImage],
    ) -> None:
        self._options = options
        self._model = model
        self._printed = ""
        self._interrupted = False
        self._session = ChatSession(
            make_engine(settings, options.scripted),
            lambda attachment: pixels[attachment.key],
            sampling=sampling_of(settings),
            system_prompt=settings.generation.system_prompt,
        )
        self._session.on_change = self._print_new

    async def run(self, attachments: list[Attachment]) -> int:
        loop, session = asyncio.get_running_loop(), self._session
        task = asyncio.current_task()
        assert task is not None
        loop.add_signal_handler(signal.SIGINT, self._interrupt, task)
        try:
            await session.load(self._model)
            turn = await session.submit(self._options.question, attachments)
            async for event in session.engine.events():
                await session.handle(event)
                if session.model_state is ModelState.FAILED and session.model_error:
                    raise session.model_error
                if turn.state.is_over:
                    break
            return self._finish(turn)
        except asyncio.CancelledError:
            return INTERRUPTED
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await session.engine.close()

    def _interrupt(self, task: asyncio.Task[object]) -> None:
        """Ctrl+C: end the answer and keep what was written; while loading, just leave."""
        self._interrupted = True
        if self._session.current is not None:
            stopping = asyncio.ensure_future(self._session.stop())
            stopping.add_done_callback(lambda _: None)
        else:
            task.cancel()

    def _print_new(self, turn: Turn) -> None:
        if self._options.as_json:
            return
        text = plain_text(turn.answer.text)
        if text.startswith(self._printed):
            sys.stdout.write(text[len(self._printed) :])
            sys.stdout.flush()
            self._printed = text

    def _finish(self, turn: Turn) -> int:
        if turn.error is not None:
            if self._printed:
                sys.stdout.write("\n")
            raise turn.error
        if self._options.as_json:
            sys.stdout.write(msgspec.json.encode(self._result(turn)).decode())
        sys.stdout.write("\n")
        return INTERRUPTED if self._interrupted and turn.state is TurnState.STOPPED else 0

    def _result(self, turn: Turn) -> AskResult:
        model = self._session.model
        assert model is not None
        assert turn.reason is not None
        timing = AskTiming(
            round(model.load_s, 3), turn.timing.first_token_s, turn.timing.decode_tokens_per_s
        )
        answer = turn.answer
        return AskResult(
            *(answer.text, answer.thinking, turn.reason.value, turn.usage, timing),
            *(self._model.model, model.precision, model.device),
        )
