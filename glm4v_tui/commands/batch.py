"""``glm4v-tui batch``: a task's question about many images, a line of JSON for each."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from collections import deque
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glm4v_tui.commands.batch_ending import MOST_DEATHS, of_image, of_loading, while_loading
from glm4v_tui.commands.batch_output import Output
from glm4v_tui.commands.batch_progress import Progress
from glm4v_tui.commands.batch_record import Records, result_error
from glm4v_tui.commands.start import (
    EMBEDDED,
    GUESSING,
    check_engine,
    engine_for,
    existing_paths,
    is_embedded,
    language_of,
    make_engine,
    model_of,
    plugins_of,
    sampling_of,
    settings_with,
)
from glm4v_tui.config import task_options
from glm4v_tui.demo import TRAINED_TASKS
from glm4v_tui.engine.protocol import Eased, Failed, Loaded, LoadModel, WorkerExited, error_of
from glm4v_tui.errors import (
    CheckpointError,
    EngineError,
    GlmError,
    NoModelError,
    StoreError,
    WithheldError,
    WorkerDiedError,
)
from glm4v_tui.store.database import Database
from glm4v_tui.tasks.command import options_set
from glm4v_tui.triage.asking import Asker
from glm4v_tui.triage.identity import asked_key, model_key
from glm4v_tui.triage.listing import list_images

if TYPE_CHECKING:
    import msgspec

    from glm4v_tui.config import Settings
    from glm4v_tui.engine.engine import Engine
    from glm4v_tui.engine.protocol import ModelInfo
    from glm4v_tui.engine_settings import SendImages
    from glm4v_tui.tasks.task import Task
    from glm4v_tui.triage.asking import Judged
    from glm4v_tui.triage.listing import Listing

PIPE_CLOSED = 141
"""Whoever read standard output has left: as a shell counts a program that SIGPIPE has ended."""
_FATAL = (StoreError, CheckpointError, NoModelError, WithheldError)
"""What would fail for every image."""
_AHEAD = 2
"""Images in work for each that the model takes at a time: while it answers about one, the next is
opened; and lines are written in the images' order, so that a slow one keeps others waiting."""
_HOPELESS = 5
"""Images in a row for which the model failed: it will fail for the rest."""
_AGAIN = "What it had in work is asked about once more, one image at a time."
_DIGITS = 16
"""Of a digest, in a line: enough to tell what was asked and of which model."""


@dataclass(frozen=True)
class BatchOptions:
    """The command line, as it was given; None where nothing was."""

    paths: tuple[str, ...]
    task: str
    output: str
    options: tuple[str, ...] = ()
    resume: bool = False
    force: bool = False
    on_error: str = "skip"
    recursive: bool = False
    labels_only: bool = False
    quiet: bool = False
    model: str | None = None
    precision: str | None = None
    device: str | None = None
    smaller_images: str | None = None
    engine: str | None = None
    send_images: SendImages | None = None
    debug: bool = False
    scripted: str | None = None


def run(options: BatchOptions) -> int:
    """Ask about all images; the exit code.

    Raises:
        GlmError: nothing can be asked, or the run was to stop at the first failure.
    """
    check_engine(options.engine, options.model, options.precision, options.device)
    settings = settings_with(
        model__checkpoint=options.model,
        model__precision=options.precision,
        model__device=options.device,
        model__smaller_images=options.smaller_images,
        model__engine=engine_for(options.engine, options.model, options.scripted, options.task),
    )
    plugins = plugins_of(settings)
    for notice in () if options.quiet else plugins.notices:
        sys.stderr.write(f"{notice}\n")
    task = plugins.task(options.task)
    chosen = options_set(task, task_options(task.name, task.options_type), options.options)
    listing = list_images(existing_paths(options.paths), recursive=options.recursive)
    batch = _Batch(options, settings, task, chosen, listing)
    with redirect_stdout(sys.stderr):  # what a task's own code prints is no part of the output
        try:
            return asyncio.run(batch.run())
        except BrokenPipeError:
            return PIPE_CLOSED


class _Batch:
    """One run."""

    def __init__(
        self,
        options: BatchOptions,
        settings: Settings,
        task: Task[Any, Any],
        chosen: msgspec.Struct,
        listing: Listing,
    ) -> None:
        self._options = options
        self._listing = listing
        self._task = task
        is_scripted = options.scripted is not None and not options.engine
        self._load = LoadModel("script") if is_scripted else model_of(settings)
        language, sampling = language_of(settings), sampling_of(settings)
        key = model_key(self._load)
        made_with = {
            "task": task.name,
            "version": task.version,
            "asked": asked_key(task, chosen, language, sampling)[:_DIGITS],
            "model_id": key[:_DIGITS],
            "asks": "labels" if options.labels_only else "result",
        }
        self._output = Output(options.output, made_with, resume=options.resume, force=options.force)
        self._records = Records(task, made_with, self._load.model.rstrip("/").rpartition("/")[2])
        self._progress = Progress(len(listing), is_quiet=options.quiet)
        self._engine: Engine = make_engine(
            settings, options.scripted, send_images=options.send_images
        )
        self._database = Database(may_read_only=True)
        self._asker = Asker(
            *(self._engine, self._database, task, chosen, language, key),
            sampling=sampling,
            wants_result=not options.labels_only,
            ready=self._ready,
            smaller_images=settings.model.smaller_images_unasked,
            asks_again=True,
        )
        self._loaded: asyncio.Future[None] | None = None
        self._load_error: GlmError | None = None
        self._deaths = 0
        """Of the model's process while it loaded, in this run."""
        self._deaths_in_row = 0
        self._is_known = asyncio.Event()
        """How many images the model takes at a time."""
        self._is_embedded = is_embedded(settings) and options.scripted is None
        self._signal = 0
        self._skipped = 0
        self._first_error: GlmError | None = None
        self._failed_in_row = 0

    async def run(self) -> int:
        loop, me = asyncio.get_running_loop(), asyncio.current_task()
        assert me is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt, number, me)
        listening = asyncio.create_task(self._listen())
        self._tell_begin()
        try:
            await self._go_through()
        except asyncio.CancelledError:
            if not self._signal:
                raise
            self._tell_end()
            return 128 + self._signal
        finally:
            self._progress.clear()
            listening.cancel()
            await self._engine.close()
            self._output.close()
        self._tell_end()
        return self._first_error.exit_code if self._first_error else 0

    # The images ---------------------------------------------------------------------------------

    async def _go_through(self) -> None:
        """All images in their order, several in work at a time."""
        working: deque[tuple[int, Path, asyncio.Task[Judged | None]]] = deque()
        numbers = iter(range(len(self._listing)))
        try:
            while True:
                ahead = _AHEAD * self._asker.at_once
                for index in itertools.islice(numbers, ahead - len(working)):
                    path = Path(self._listing.name(index))
                    working.append((index + 1, path, asyncio.create_task(self._judge(path))))
                if not working:
                    return
                number, path, judging = working[0]
                if await self._is_through(judging):
                    working.popleft()
                    await self._finish(number, path, judging)
        finally:
            for _, _, judging in working:
                judging.cancel()
            await asyncio.gather(*(one for *_, one in working), return_exceptions=True)

    async def _is_through(self, judging: asyncio.Task[Judged | None]) -> bool:
        """Wait for an image's end; or, at first, until it is known how many the model takes."""
        if not self._is_known.is_set():
            known = asyncio.create_task(self._is_known.wait())
            await asyncio.wait((judging, known), return_when=asyncio.FIRST_COMPLETED)
            known.cancel()
            return judging.done()
        return True

    async def _judge(self, path: Path) -> Judged | None:
        """What the model says; None of an image that has its line already."""
        if self._output.written:
            place = None if self._task.is_private else str(path)
            known = (place, await self._asker.digest(path))
            if self._output.written[known] > 0:
                self._output.written[known] -= 1
                return None
        deaths = self._deaths
        try:
            return await self._asker.judge(path)
        except WorkerDiedError:
            if self._deaths == deaths or self._load_error is not None:
                raise
        return await self._asker.judge(path)  # it ended while it was loaded: for no image

    async def _finish(self, number: int, path: Path, judging: asyncio.Task[Judged | None]) -> None:
        try:
            judged = await judging
        except GlmError as failure:
            if self._is_for_all(failure):
                raise (self._load_error or failure) from failure
            error = of_image(failure, can_go_on=self._output.can_go_on)
            self._output.write(self._records.of_error(number, path, error))
            self._failed(number, path, error)
            return
        if judged is None:
            self._skipped += 1
            self._progress.step()
            return
        self._output.write(self._records.of(number, path, judged))
        if (problem := result_error(judged)) is not None:
            self._failed(number, path, problem)
            return
        self._failed_in_row = 0
        self._progress.step(asked=not judged.is_stored)

    def _is_for_all(self, error: GlmError) -> bool:
        """Whether it would be the same for every image."""
        if self._load_error is not None and isinstance(error, WorkerDiedError):
            return True
        return error is self._load_error or isinstance(error, _FATAL)

    def _failed(self, number: int, path: Path, error: GlmError) -> None:
        """Go on, unless that is of no use or was not wanted."""
        told = self._records.told(number, error)
        self._progress.say_error(self._records.line_of(number, path, error))
        self._first_error = self._first_error or told
        self._progress.step(asked=isinstance(error, EngineError), failed=True)
        self._failed_in_row = self._failed_in_row + 1 if isinstance(error, EngineError) else 0
        if self._options.on_error == "stop" or self._failed_in_row >= _HOPELESS:
            raise told

    # The model ----------------------------------------------------------------------------------

    async def _ready(self) -> None:
        """Load the model when it is needed first: it is not where all answers are known."""
        if self._load_error is not None:
            raise self._load_error
        if self._loaded is None:
            self._loaded = asyncio.get_running_loop().create_future()
            self._progress.begin("loading the model")
            await self._engine.load(self._load)
        await asyncio.shield(self._loaded)

    async def _listen(self) -> None:
        async for event in self._engine.events():
            match event:
                case Loaded(model=model):
                    self._use(model)
                    self._deaths_in_row = 0
                    self._progress.begin("")
                    self._end_loading(None)
                case Eased(message=message, model=loaded):
                    if loaded is not None:
                        self._use(loaded)
                    self._say(message)
                case WorkerExited(detail=detail, expected=False):
                    self._tell_exit(detail)
                case Failed(request_id=None):
                    await self._note_no_model(error_of(event))
                case _:
                    self._asker.handle(event)

    async def _note_no_model(self, error: GlmError) -> None:
        """Loading has failed. A process that ended meanwhile is started once more: it may have
        been ended for what was in memory beside it."""
        if not isinstance(error, WorkerDiedError):
            self._end_loading(error)
            return
        self._deaths += 1
        self._deaths_in_row += 1
        if self._deaths_in_row >= MOST_DEATHS:
            self._end_loading(of_loading(error, can_go_on=self._output.can_go_on))
        elif self._loaded is not None and not self._loaded.done():
            try:
                await self._engine.load(self._load)  # else the next question does that
            except OSError as failed:  # nobody would hear of it here
                title = "The model's process cannot be started once more"
                self._end_loading(EngineError(title, str(failed)))

    def _tell_exit(self, detail: str) -> None:
        if self._deaths_in_row:  # told before of this very process
            words = while_loading(detail) if self._load_error is None else ""
        else:
            again = f" {_AGAIN}" if self._asker.at_once > 1 else ""
            words = f"The model's process ended: {detail}.{again}"
        self._say(words)

    def _say(self, message: str) -> None:
        if message and not self._options.quiet:
            self._progress.say(message)

    def _use(self, model: ModelInfo) -> None:
        """What it says is kept under its own name."""
        key = model_key(self._load, model.precision)
        self._asker.model_key = key
        self._asker.at_once = model.at_once
        self._is_known.set()
        self._records.made_with["model_id"] = key[:_DIGITS]

    def _end_loading(self, error: GlmError | None) -> None:
        self._load_error = error
        if self._loaded is None or self._loaded.done():
            return
        if error is None:
            self._loaded.set_result(None)
        else:
            self._loaded.set_exception(error)

    # What the user is told ----------------------------------------------------------------------

    def _interrupt(self, number: int, me: asyncio.Task[object]) -> None:
        """Ctrl+C: the line that is being written is whole by now; a second one ends at once."""
        self._signal = number
        asyncio.get_running_loop().remove_signal_handler(number)
        me.cancel()

    def _tell_begin(self) -> None:
        say = self._progress.say
        for notice in self._listing.notices:
            say(notice)
        if self._database.is_read_only:
            say("The database cannot be written: what the model says is in the output alone.")
        if self._is_embedded:
            guesses = GUESSING if self._task.name not in TRAINED_TASKS else ""
            say(f"{EMBEDDED}{guesses} --model names another.")

    def _tell_end(self) -> None:
        progress = self._progress
        progress.clear()
        written = progress.done - self._skipped
        parts = [f"{written} {'line' if written == 1 else 'lines'} written"]
        if progress.failed:
            parts[0] += f", {progress.failed} of them with the reason of a failure"
        if self._skipped:
            parts.append(f"{self._skipped} had a line already")
        left = len(self._listing) - progress.done
        if left:
            go_on = ": go on with --resume" if self._output.can_go_on else ""
            parts.append(f"{left} {'image' if left == 1 else 'images'} left{go_on}")
        progress.say(f"{'; '.join(parts)}.")
