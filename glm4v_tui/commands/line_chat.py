"""``--plain``: the same chat as lines of text, each written once and never changed.

For screen readers, dumb terminals and pipes: no animation, no cursor movement, no color.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.commands.ask import INTERRUPTED
from glm4v_tui.commands.line_chats import LineChats
from glm4v_tui.commands.line_models import LineModels
from glm4v_tui.commands.start import (
    EMBEDDED,
    is_embedded,
    make_engine,
    model_of,
    plugins_of,
    sampling_of,
)
from glm4v_tui.engine.protocol import (
    ConsentWanted,
    Eased,
    Failed,
    Loaded,
    Loading,
    LoadModel,
    MemoryReading,
    SendingWanted,
    WorkerExited,
)
from glm4v_tui.engine.sending import sending_words
from glm4v_tui.errors import GlmError
from glm4v_tui.paths import expanded, is_there
from glm4v_tui.pixels import PixelOpener
from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.session import ChatSession, ModelState, Turn, TurnState
from glm4v_tui.toml_file import did_you_mean
from glm4v_tui.ui.task_desk import TaskDesk

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.chat import Attachment
    from glm4v_tui.config import Settings
    from glm4v_tui.engine.protocol import Event, SmallerImages
    from glm4v_tui.engine_settings import SendImages

_HELP = """\
Write a question and press Enter. Commands:
/attach PATH   attach an image to the next question; a pasted path alone does the same
/images        say what is attached
/detach        take the last attached image away
/tasks         list the tasks
/task NAME     ask a task about the attached images, or about the last ones; /NAME does the same.
               Words after the name take the place of its question
/again         answer the last question anew
/new           begin a new conversation
/undo          bring back what /again or /new removed
/chats         list the chats that were kept; /chats WORDS searches them
/open NUMBER   go on with one of them
/model         list the models; with a NUMBER or a NAME (a folder, a hub id) load one, and with
               a precision behind it in that; with ? behind it say what its precisions take
/back          load the model before again
/send, /keep   let images go to another host, or not, when that is asked
/quit          leave; Ctrl+C stops an answer, or leaves"""


def run_line_chat(
    settings: Settings,
    images: list[Path],
    scripted: str | None,
    *,
    resume: bool = False,
    send_images: SendImages | None = None,
    place_of: Callable[[str], LoadModel | None] | None = None,
) -> int:
    """Chat over standard input and output; the exit code."""
    gc.enable()
    chat = _LineChat(settings, scripted, send_images, place_of)
    return asyncio.run(chat.run(images, resume=resume))


class _LineChat:
    def __init__(
        self,
        settings: Settings,
        scripted: str | None,
        send_images: SendImages | None,
        place_of: Callable[[str], LoadModel | None] | None,
    ) -> None:
        self._settings = settings
        self._model = (
            LoadModel("script") if scripted and not settings.model.engine else model_of(settings)
        )
        self._is_embedded = not scripted and is_embedded(settings)
        opener = PixelOpener()
        language = settings.generation.language
        self._desk = TaskDesk(lambda: plugins_of(settings), language, opener)
        self._session = ChatSession(
            make_engine(settings, scripted, send_images=send_images, asks=sys.stdin.isatty()),
            opener,
            sampling=sampling_of(settings),
            system_prompt=settings.generation.system_prompt,
            smaller_images=_smaller_images(settings),
            place_of=place_of,
        )
        self._session.on_change = self._follow
        self._chats = LineChats(self._session, self._desk, _say)
        self._models = LineModels(self._session, settings.model, _say)
        self._session.on_placed = self._models.note_place
        self._attached: list[Attachment] = []
        self._sending: SendingWanted | None = None
        self._written: dict[str, str] = {}
        self._told_loading = ""
        self._told_error: GlmError | None = None
        self._read: set[str] = set()
        """Turns whose reading was told."""
        self._is_leaving = False
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._event_taken = asyncio.Event()
        self._is_interrupted = False
        self._is_piped = not sys.stdin.isatty()

    async def run(self, images: list[Path], *, resume: bool) -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        listening = asyncio.create_task(self._listen())
        _say("Plain chat. /help says what can be done.")
        await self._desk.ready()
        for notice in self._desk.new_notices():
            _say(notice)
        await self._chats.begin(resume=resume)
        for path in images:
            await self._attach(path)
        if self._is_embedded:
            _say(f"{EMBEDDED} /model NAME loads another: a folder or a hub id.")
        await self._session.load(self._model)
        threading.Thread(target=self._read_lines, args=(loop,), daemon=True).start()
        while (line := await self._next_line()) is not None and line != "/quit":
            await self._obey(line)
        if not self._is_interrupted:
            await self._answered()
        self._is_leaving = True
        await self._session.engine.close()
        await listening
        await self._chats.close()
        return INTERRUPTED if self._is_interrupted else self._exit_code()

    def _exit_code(self) -> int:
        """0 when the last question has its answer, else that of why not."""
        if not self._session.turns:
            return 0
        error = self._session.turns[-1].error or (
            None if self._session.is_idle else self._session.model_error
        )
        return error.exit_code if error is not None else 0

    def _read_lines(self, loop: asyncio.AbstractEventLoop) -> None:
        """Runs in a thread that may be left behind waiting when the program ends."""
        with contextlib.suppress(RuntimeError, ValueError, OSError):
            for line in sys.stdin:
                loop.call_soon_threadsafe(self._lines.put_nowait, line)
            loop.call_soon_threadsafe(self._lines.put_nowait, None)

    def _interrupt(self) -> None:
        if self._session.current is not None:
            self._stopping = asyncio.ensure_future(self._session.stop())
        elif self._models.is_downloading:
            self._stopping = asyncio.ensure_future(self._models.stop())
        else:
            self._is_interrupted = True
            self._lines.put_nowait(None)
            self._event_taken.set()

    async def _next_line(self) -> str | None:
        """What is to be done next. The lines of a pipe are a script, whose end none of them waits
        to see: each begins when what came before it is over."""
        line = await self._lines.get()
        if self._is_piped:
            await self._answered()
        return None if line is None or self._is_interrupted else line.strip()

    async def _answered(self) -> None:
        """Wait until all questions are answered, as far as they can be; in a pipe also until the
        model is there that a line has named."""
        while (self._is_answering or self._is_switching) and not self._is_interrupted:
            self._event_taken.clear()
            await self._event_taken.wait()

    @property
    def _is_answering(self) -> bool:
        never = {ModelState.NONE, ModelState.FAILED}
        return not self._session.is_idle and self._session.model_state not in never

    @property
    def _is_switching(self) -> bool:
        return self._is_piped and self._models.is_loading

    # What the user writes -------------------------------------------------------------------

    async def _obey(self, line: str) -> None:
        command, _, rest = line.partition(" ")
        match command:
            case "":
                return
            case "y" | "yes" | "n" | "no" if self._session.consent_wanted and not rest:
                await self._session.consent(is_given=command[0] == "y")
            case "/help":
                _say(_HELP)
            case "/attach":
                await self._attach(expanded(rest.strip()))
            case "/images":
                self._tell_images()
            case "/detach":
                _say(f"Detached {_name(self._attached.pop())}." if self._attached else "No image.")
            case "/tasks":
                await self._tell_tasks()
            case "/task":
                await self._ask_task(f"/{rest.strip()}")
            case "/again" if self._session.turns and self._session.is_idle:
                await self._session.regenerate(self._session.turns[-1])
            case "/new" if self._session.is_idle:
                self._session.clear()
                _say("A new conversation. /undo brings the old one back.")
            case "/undo":
                _say("Brought back." if self._session.undo() else "Nothing to bring back.")
            case "/chats":
                await self._chats.tell(rest.strip())
            case "/open":
                await self._chats.open(rest.strip())
            case "/send" | "/keep":
                await self._decide(allows=command == "/send")
            case "/model":
                await self._models.obey(rest.strip())
            case "/back":
                await self._models.back()
            case "/again" | "/new":
                _say("That cannot be done now. /help says what can.")
            case _ if command[1:] in self._desk.names and command[:1] == "/":
                await self._ask_task(line)
            case _ if command[:1] == "/" and "/" not in command[1:] and not is_there(Path(command)):
                near = did_you_mean(command[1:], self._desk.names)
                _say(f"There is no command {plain_line(command)}{near}")
                _say("/help and /tasks list what there is.")
            case _:
                await self._ask(line)

    async def _ask(self, line: str) -> None:
        from glm4v_tui.paste import Host, absent_message, parse_paste

        pasted = await asyncio.to_thread(parse_paste, line, Path.cwd(), Path.home())
        for path in pasted.paths:
            await self._attach(path)
        if pasted.absent:
            _say(str(absent_message(pasted.absent, Path.cwd(), Host.this(os.environ))))
        if pasted.text:
            attached, self._attached = self._attached, []
            await self._session.submit(pasted.text, attached)

    async def _decide(self, *, allows: bool) -> None:
        wanted, self._sending = self._sending, None
        if wanted is None or not self._session.is_asked(wanted.request_id):
            _say("Nothing waits for that.")
            return
        await self._session.engine.allow_sending(wanted.request_id, allows=allows)

    async def _tell_tasks(self) -> None:
        tasks = (await self._desk.ready()).tasks
        for name in self._desk.names:
            _say(f"/{name}: {plain_line(str(tasks[name].summary))}")
        if not tasks:
            _say("There are no tasks; glm4v-tui plugin list says why.")

    async def _ask_task(self, line: str) -> None:
        from glm4v_tui.tasks.command import command_in

        if (command := command_in(line)) is None:
            _say("Name a task: /tasks lists them.")
            return
        asked = (turn.question.attachments for turn in reversed(self._session.turns))
        images = tuple(self._attached) or next((images for images in asked if images), ())
        try:
            task = await self._desk.find(command)
            question = await self._desk.ask(task, command.rest, images)
        except GlmError as error:
            _say(str(error))
            return
        self._attached = []
        await self._session.submit(question.text, question.attachments, question.call)

    async def _attach(self, path: Path) -> None:
        from glm4v_tui import images

        try:
            opened = await asyncio.to_thread(images.open_image, path)
        except GlmError as error:
            _say(f"{plain_line(path.name)}: {error}")
        else:
            self._attached.append(opened.attachment)
            self._tell_images()

    def _tell_images(self) -> None:
        for number, image in enumerate(self._attached, 1):
            notes = "".join(f", {note}" for note in image.notes)
            _say(f"Image {number}: {_name(image)}, {image.width} by {image.height}{notes}")
        if not self._attached:
            _say("No image is attached.")

    # What the engine says -------------------------------------------------------------------

    async def _listen(self) -> None:
        async for event in self._session.engine.events():
            if not self._is_leaving:
                self._tell(event)
            await self._session.handle(event)
            await self._note_model(event)
            await self._tell_results()
            self._event_taken.set()

    async def _note_model(self, event: Event) -> None:
        match event:
            case MemoryReading():
                self._models.memory = event
            case WorkerExited():
                self._models.memory = None
            case Loaded() | Failed(request_id=None):
                self._tell_failure()
                await self._models.note_state()

    def _tell_failure(self) -> None:
        """Say once why loading failed; the end of a load that another one replaced is none."""
        error = self._session.model_error
        if error is not None and error is not self._told_error:
            _say(str(error))
        self._told_error = error

    async def _tell_results(self) -> None:
        """Say the results of tasks whose answers are over."""
        from glm4v_tui.tasks.text import outcome_lines

        for turn in self._session.turns:
            is_new = turn.state.is_over and turn.request_id not in self._written
            if turn.call is None or not turn.raw or not is_new:
                continue
            self._written[turn.request_id] = turn.raw
            outcome = await self._desk.outcome(turn)
            _say("\n".join(outcome_lines(outcome, self._desk.notice_of(turn.call))))
            try:
                outcome.result.require()
            except GlmError as error:
                _say(str(error))

    def _tell(self, event: Event) -> None:
        match event:
            case SendingWanted():
                self._sending = event
                _say(
                    f"{sending_words(event)} /send sends, and allows this host from now on; "
                    "/keep keeps it here."
                )
            case Loading(stage=stage, done=done, total=total):
                self._tell_loading(stage, 4 * done // total if total else None)
            case Eased(message=message) if message:
                _say(message)
            case ConsentWanted(question=question):
                _say(f"{question} Write y or n.")
            case Loaded(model=model):
                _say(f"Ready: {plain_line(model.name)}, {model.precision}, {model.device}.")
            case WorkerExited(expected=False, detail=detail):
                _say(f"The model's process is gone: {detail}.")

    def _tell_loading(self, stage: str, quarter: int | None) -> None:
        share = "" if quarter is None else f": {quarter * 25} percent"
        words = f"Loading ({plain_line(stage)}){share}."
        if words != self._told_loading:
            self._told_loading = words
            _say(words)

    def _follow(self, turn: Turn) -> None:
        """Write the lines of the answer that are complete, and the rest when it is over."""
        self._event_taken.set()
        if turn.state is TurnState.READING:
            if turn.request_id not in self._read:
                self._read.add(turn.request_id)
                _say("Reading the question.")
            return
        text = "" if turn.call else plain_text(turn.answer.text)
        end = len(text) if turn.state.is_over else text.rfind("\n") + 1
        written = self._written.get(turn.request_id, "")
        if end > len(written) and text.startswith(written):
            _say(text[len(written) : end].removesuffix("\n"))
            self._written[turn.request_id] = text[:end]
        if turn.state is TurnState.STOPPED:
            _say("Stopped.")
        if turn.error is not None:
            _say(str(turn.error))


def _name(image: Attachment) -> str:
    return plain_line(Path(image.path).name)


def _smaller_images(settings: Settings) -> SmallerImages:
    """Nobody answers at the other end of a pipe."""
    model = settings.model
    return model.smaller_images if sys.stdin.isatty() else model.smaller_images_unasked


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
