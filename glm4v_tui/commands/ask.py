"""``glm4v-tui ask``: one question, one answer on standard output."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.commands.ask_answer import answer_of
from glm4v_tui.commands.ask_question import Printer, Question, crop_of
from glm4v_tui.commands.start import (
    EMBEDDED,
    GUESSING,
    check_engine,
    engine_for,
    existing_paths,
    is_embedded,
    make_engine,
    model_of,
    plugins_of,
    sampling_of,
    settings_with,
)
from glm4v_tui.demo import TRAINED_TASKS
from glm4v_tui.engine.protocol import Eased, LoadModel
from glm4v_tui.errors import NotAnImageError, UsageError
from glm4v_tui.plain import plain_line
from glm4v_tui.session import ChatSession, ModelState, Turn, TurnState

if TYPE_CHECKING:
    from pathlib import Path

    from glm4v_tui.config import Settings
    from glm4v_tui.engine_settings import SendImages
    from glm4v_tui.tasks.task import Task

INTERRUPTED = 130


@dataclass(frozen=True)
class AskOptions:
    """The command line, as it was given; None where nothing was."""

    paths: tuple[str, ...]
    question: str | None = None
    task: str | None = None
    options: tuple[str, ...] = ()
    crop: str | None = None
    export: str | None = None
    model: str | None = None
    precision: str | None = None
    device: str | None = None
    smaller_images: str | None = None
    engine: str | None = None
    send_images: SendImages | None = None
    as_json: bool = False
    greedy: bool = False
    temperature: float | None = None
    top_p: float | None = None
    max_new_tokens: int | None = None
    seed: int | None = None
    debug: bool = False
    scripted: str | None = None


def run(options: AskOptions) -> int:
    """Ask and print; the exit code.

    Raises:
        GlmError: a file, the settings, the task or the model is wrong; nothing was printed then,
            except what the model had answered before it failed.
    """
    check_engine(options.engine, options.model, options.precision, options.device)
    settings = settings_with(
        model__checkpoint=options.model,
        model__precision=options.precision,
        model__device=options.device,
        model__smaller_images=options.smaller_images,
        model__engine=engine_for(options.engine, options.model, options.scripted, options.task),
        generation__temperature=0.0 if options.greedy else options.temperature,
        generation__top_p=options.top_p,
        generation__max_new_tokens=options.max_new_tokens,
        generation__seed=options.seed,
    )
    _check(options)
    question = _question(options, settings)
    is_scripted = options.scripted is not None
    model = LoadModel("script") if is_scripted and not options.engine else model_of(settings)
    if not is_scripted and is_embedded(settings):
        guess = options.task is not None and options.task not in TRAINED_TASKS
        sys.stderr.write(f"{EMBEDDED}{GUESSING if guess else ''} --model names another.\n")
    return asyncio.run(_Asking(options, settings, model, question).run())


def _check(options: AskOptions) -> None:
    if not (options.question or "").strip() and options.task is None:
        raise UsageError(
            "There is no question", "", "Write one after -q, or name a task with --task."
        )
    if options.options and options.task is None:
        raise UsageError("Only a task has options", "", "Name one with --task.")
    if options.export is not None and options.task is None:
        raise UsageError("Only the result of a task can be exported", "", "Name one with --task.")
    if options.temperature is not None and not options.temperature >= 0:
        raise UsageError("The temperature is not a number", "", "Give 0 or more.")
    if options.greedy and options.temperature:
        raise UsageError(
            "--greedy and --temperature contradict each other",
            "Greedy is a temperature of 0.",
            "Give one of them.",
        )


def _question(options: AskOptions, settings: Settings) -> Question:
    plugins = plugins_of(settings)  # their readers open images, whatever is asked
    for notice in plugins.notices:
        sys.stderr.write(f"{notice}\n")
    task = plugins.task(options.task) if options.task is not None else None
    crop = crop_of(options.crop)
    parts = [(path, crop) for path in _files(options, task)]
    if task is None:
        from glm4v_tui.images import open_image

        return Question(options.question or "", tuple(open_image(*part) for part in parts))
    from glm4v_tui.commands.ask_task import task_question

    return task_question(options, settings, plugins, task, parts)


def _files(options: AskOptions, task: Task[Any, Any] | None) -> list[Path]:
    """The images that were named, those of one scan in its order; of a folder those that the task
    chooses of the series in it."""
    from glm4v_tui.images import in_order

    found: list[Path] = []
    for path in existing_paths(options.paths):
        found += _in_folder(path, task) if path.is_dir() else [path]
    return in_order(found)


def _in_folder(folder: Path, task: Task[Any, Any] | None) -> tuple[Path, ...]:
    from glm4v_tui.tasks.asking import choose_of

    choice = None if task is None else choose_of(task, folder)
    if choice is None:
        looked = "" if task is None else " No series of scans lies in it."
        raise NotAnImageError(
            "This is a folder",
            f"{plain_line(str(folder))}.{looked}",
            "Name the images in it: FOLDER/*.jpg",
        )
    sys.stderr.write(f"{choice.words}\n")
    return choice.files


class _Asking:
    """One question on its way."""

    def __init__(
        self, options: AskOptions, settings: Settings, model: LoadModel, question: Question
    ) -> None:
        self._as_json = options.as_json
        self._model = model
        self._question = question
        self._printer = Printer()
        self._interrupted = False
        self._session = ChatSession(
            make_engine(settings, options.scripted, send_images=options.send_images),
            question.pixels,
            sampling=sampling_of(settings),
            system_prompt=settings.generation.system_prompt,
            smaller_images=settings.model.smaller_images_unasked,
        )
        self._session.on_change = self._print_new

    async def run(self) -> int:
        loop, session = asyncio.get_running_loop(), self._session
        task = asyncio.current_task()
        assert task is not None
        loop.add_signal_handler(signal.SIGINT, self._interrupt, task)
        try:
            await session.load(self._model)
            asked = self._question
            turn = await session.submit(asked.text, asked.attachments, asked.call)
            async for event in session.engine.events():
                await session.handle(event)
                if isinstance(event, Eased) and event.message:
                    sys.stderr.write(f"{event.message}\n")
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
        if not self._as_json:
            self._printer.grow(self._question.printed_so_far(turn))

    def _finish(self, turn: Turn) -> int:
        if turn.error is not None:
            if self._printer.printed:
                sys.stdout.write("\n")
            raise turn.error
        model = self._session.model
        if self._as_json:
            assert model is not None
            answer = answer_of(turn, model, self._model.model)
            answer = self._question.json(turn, answer)
            sys.stdout.write(msgspec.json.encode(answer).decode())
        else:
            self._question.print_rest(turn)
        sys.stdout.write("\n")
        if self._interrupted and turn.state is TurnState.STOPPED:
            return INTERRUPTED
        self._question.close(turn, model.name if model else "")
        return 0
