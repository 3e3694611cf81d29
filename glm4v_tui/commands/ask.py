"""``glm4v-tui ask``: one question, one answer on standard output."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.commands.start import (
    EMBEDDED,
    existing_paths,
    language_of,
    make_engine,
    model_of,
    plugins_of,
    sampling_of,
    settings_with,
)
from glm4v_tui.engine.protocol import FinishReason, LoadModel, RgbImage, Usage
from glm4v_tui.errors import NotAnImageError, UsageError
from glm4v_tui.paths import expanded
from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.session import ChatSession, ModelState, Turn, TurnState
from glm4v_tui.tasks.results import ResultState

if TYPE_CHECKING:
    from pathlib import Path

    from glm4v_tui.chat import Attachment
    from glm4v_tui.config import Settings
    from glm4v_tui.images import OpenedImage
    from glm4v_tui.tasks.call import TaskCall
    from glm4v_tui.tasks.export import Exporter
    from glm4v_tui.tasks.outcome import Outcome
    from glm4v_tui.tasks.plugins import Plugins
    from glm4v_tui.tasks.task import Task

INTERRUPTED = 130


@dataclass(frozen=True)
class AskOptions:
    """The command line, as it was given; None where nothing was."""

    paths: tuple[str, ...]
    question: str | None = None
    task: str | None = None
    export: str | None = None
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
    """What ``--json`` prints; the last four fields with a task only."""

    answer: str
    thinking: str
    finish_reason: str
    usage: Usage
    timing: AskTiming
    model: str
    precision: str
    device: str
    task: str | msgspec.UnsetType = msgspec.UNSET
    result: Any = msgspec.UNSET
    """The result as JSON; null when it is not whole."""
    warnings: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """What the task found doubtful."""
    notice: str | msgspec.UnsetType = msgspec.UNSET


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
    plugins = plugins_of(settings)
    for notice in plugins.notices:
        sys.stderr.write(f"{notice}\n")
    task = plugins.task(options.task) if options.task is not None else None
    question = _question(options, settings, plugins, task, _files(options, task))
    is_scripted = options.scripted is not None
    model = LoadModel("script") if is_scripted else model_of(settings)
    if not is_scripted and not settings.model.checkpoint:
        sys.stderr.write(f"{EMBEDDED} --model names another.\n")
    return asyncio.run(_Asking(options, settings, model, question).run())


def _check(options: AskOptions) -> None:
    if not (options.question or "").strip() and options.task is None:
        raise UsageError(
            "There is no question", "", "Write one after -q, or name a task with --task."
        )
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


@dataclass(frozen=True)
class _Question:
    """What is asked, with every image opened: a wrong file is told before the model is loaded."""

    text: str
    opened: tuple[OpenedImage, ...]
    task: Task[Any, Any] | None = None
    call: TaskCall | None = None
    exporter: Exporter | None = None
    export_to: Path | None = None

    def pixels(self, attachment: Attachment) -> RgbImage:
        image = next(one.image for one in self.opened if one.attachment.key == attachment.key)
        return RgbImage(image.width, image.height, image.tobytes())


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
        raise NotAnImageError(
            "This is a folder", plain_line(str(folder)), "Name the images in it: FOLDER/*.jpg"
        )
    sys.stderr.write(f"{choice.words}\n")
    return choice.files


def _question(
    options: AskOptions,
    settings: Settings,
    plugins: Plugins,
    task: Task[Any, Any] | None,
    files: list[Path],
) -> _Question:
    if task is None:
        from glm4v_tui.images import open_image

        return _Question(options.question or "", tuple(map(open_image, files)))
    from glm4v_tui.tasks.asking import ask_about

    asked = ask_about(
        task,
        [(path, None) for path in files],
        language_of(settings),
        text=(options.question or "").strip(),
    )
    exporter, target = _exporter(options.export, plugins)
    return _Question(
        asked.text, asked.opened, task, _as_told(asked.call, options), exporter, target
    )


def _as_told(call: TaskCall, options: AskOptions) -> TaskCall:
    """The call with what the command line says in place of what the task says."""
    told = {
        "max_new_tokens": options.max_new_tokens,
        "temperature": 0.0 if options.greedy else options.temperature,
        "top_p": options.top_p,
    }
    given = {name: value for name, value in told.items() if value is not None}
    generation = msgspec.structs.replace(call.generation, **given)
    return msgspec.structs.replace(call, generation=generation)


def _exporter(wanted: str | None, plugins: Plugins) -> tuple[Exporter | None, Path | None]:
    """``NAME:FILE``, or a FILE whose suffix tells the format."""
    if wanted is None:
        return None, None
    name, colon, file = wanted.partition(":")
    if colon and name in plugins.exporters:
        return plugins.exporters[name], expanded(file)
    fits = [one for one in plugins.exporters.values() if wanted.lower().endswith(one.suffix)]
    if fits:
        return max(fits, key=lambda one: len(one.suffix)), expanded(wanted)
    formats = ", ".join(f"{one.name}:FILE ({one.title})" for one in plugins.exporters.values())
    raise UsageError(
        "The format of the export is not known", plain_line(wanted), f"Write {formats}."
    )


class _Asking:
    """One question on its way."""

    def __init__(
        self,
        options: AskOptions,
        settings: Settings,
        model: LoadModel,
        question: _Question,
    ) -> None:
        self._options = options
        self._model = model
        self._question = question
        self._printed = ""
        self._interrupted = False
        self._session = ChatSession(
            make_engine(settings, options.scripted),
            question.pixels,
            sampling=sampling_of(settings),
            system_prompt=settings.generation.system_prompt,
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
            images = [one.attachment for one in asked.opened]
            turn = await session.submit(asked.text, images, asked.call)
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
        if self._options.as_json or self._question.task is not None:
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
        outcome = self._outcome(turn)
        if self._options.as_json:
            sys.stdout.write(msgspec.json.encode(self._answer(turn, outcome)).decode())
        elif outcome is not None:
            sys.stdout.write("\n".join(self._lines(outcome)))
        sys.stdout.write("\n")
        if self._interrupted and turn.state is TurnState.STOPPED:
            return INTERRUPTED
        if outcome is not None:
            outcome.result.require()
            self._export(outcome)
        return 0

    def _outcome(self, turn: Turn) -> Outcome | None:
        if self._question.task is None or turn.call is None:
            return None
        from glm4v_tui.tasks.outcome import outcome_of

        is_finished = turn.reason is FinishReason.STOP
        return outcome_of(self._question.task, turn.call, turn.raw, is_finished=is_finished)

    def _lines(self, outcome: Outcome) -> list[str]:
        from glm4v_tui.tasks.text import panel_lines

        assert self._question.task is not None
        notice = filter(None, (plain_line(self._question.task.notice),))
        if outcome.result.state is not ResultState.WHOLE:
            return [plain_text(outcome.result.json), *notice]
        lines = list(panel_lines(outcome.panel))
        for regions in outcome.regions:
            for number, region in enumerate(regions, 1):
                box = region.box
                corners = f"{box.left},{box.top} to {box.right},{box.bottom}"
                lines.append(f"({number}) {plain_line(region.label)}: {corners}")
        lines += [f"Doubtful: {plain_line(warning)}" for warning in outcome.warnings]
        return [*lines, *notice]

    def _export(self, outcome: Outcome) -> None:
        asked = self._question
        if asked.exporter is None or asked.export_to is None:
            return
        from glm4v_tui.tasks.outcome import record_of

        assert asked.task is not None
        assert asked.call is not None
        model = self._session.model.name if self._session.model else ""
        attachment = asked.opened[0].attachment
        record = record_of(asked.task, asked.call, outcome, attachment, model=model)
        try:
            with asked.export_to.open("wb") as out:
                asked.exporter.write([record], out)
        except OSError as error:
            raise UsageError(
                "The export cannot be written",
                f"{plain_line(str(asked.export_to))}: {error.strerror}",
                "Name another file.",
            ) from error

    def _answer(self, turn: Turn, outcome: Outcome | None) -> AskResult:
        model = self._session.model
        assert model is not None
        assert turn.reason is not None
        timing = AskTiming(
            round(model.load_s, 3), turn.timing.first_token_s, turn.timing.decode_tokens_per_s
        )
        answer = turn.answer
        result = AskResult(
            *(answer.text, answer.thinking, turn.reason.value, turn.usage, timing),
            *(self._model.model, model.precision, model.device),
        )
        if outcome is None or self._question.task is None:
            return result
        task = self._question.task
        return msgspec.structs.replace(
            result,
            task=task.name,
            result=outcome.value,
            warnings=outcome.warnings,
            notice=task.notice,
        )
