"""One conversation with one engine: questions in, answers growing, nothing lost on the way.

Knows neither Textual nor a model library. The screen and the commands give it questions and the
engine's events; it keeps the turns, decides what is sent when, and says which turn has changed.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.chat import Answer, Attachment, Conversation, Message, Role, split_answer
from glm4v_tui.engine.protocol import (
    ConsentWanted,
    Eased,
    Event,
    Failed,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    Loading,
    LoadModel,
    ModelInfo,
    Progress,
    ResultForm,
    RgbImage,
    Sampling,
    SmallerImages,
    TextDelta,
    Timing,
    Usage,
    WorkerExited,
    error_of,
)
from glm4v_tui.errors import (
    GlmError,
    ImageError,
    ServerError,
    WithheldError,
    WorkerDiedError,
    WorkerSilentError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glm4v_tui.engine.engine import Engine
    from glm4v_tui.tasks.call import TaskCall


class TurnState(StrEnum):
    QUEUED = "queued"
    READING = "reading"
    """Sent; the model is at the images or the prompt."""
    ANSWERING = "answering"
    DONE = "done"
    STOPPED = "stopped"
    """Ended by the user; what was written stays and belongs to the conversation."""
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        return self in {TurnState.DONE, TurnState.STOPPED, TurnState.FAILED}


@dataclass(eq=False)
class Turn:
    """A question and what has become of it."""

    question: Message
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: TurnState = TurnState.QUEUED
    raw: str = ""
    """The answer as the model wrote it, thinking and all."""
    tokens: int = 0
    reason: FinishReason | None = None
    usage: Usage = Usage()
    timing: Timing = Timing()
    error: GlmError | None = None
    call: TaskCall | None = None
    """What the task behind the question asks for; None for a question in free words."""
    private_task: str = ""
    """The private task that it belongs to; empty for none. What is private never becomes less so:
    it does not depend on which plugins are there when the chat is opened again."""
    is_placed: bool = False
    """Its task's own engine was loaded for it; where the user goes then, it is asked."""
    is_sent: bool = False
    """False while images are opened: until then there is nothing to abort."""
    is_stopping: bool = False
    """It was asked to end, and has not ended yet."""
    eased: list[str] = field(default_factory=list)
    """What was done, in words, because the memory did not suffice."""
    consent: ConsentWanted | None = None
    """What the model waits for."""
    progress: Progress | None = None
    """What the model is at; None once it writes."""
    asked_at: float = 0.0
    first_token_at: float = 0.0

    @property
    def answer(self) -> Answer:
        return split_answer(self.raw, is_complete=self.state.is_over)

    @property
    def tokens_per_s(self) -> float | None:
        """Decode speed: measured by the engine once finished, by arrival until then."""
        if self.state.is_over:
            return self.timing.decode_tokens_per_s
        elapsed = time.monotonic() - self.first_token_at
        return (self.tokens - 1) / elapsed if self.tokens > 1 and elapsed > 0 else None

    @property
    def is_remembered(self) -> bool:
        """True when later questions are asked with this turn before them."""
        return bool(self.answer.text) and self.state.is_over

    @property
    def leaves_images(self) -> bool:
        """True when it has no answer, and its images go on to the next question.

        Those of a turn that failed of itself do not: they, or their cost, may be why.
        """
        if not self.state.is_over or self.is_remembered:
            return False
        return self.error is None or isinstance(self.error, _NOT_THE_IMAGES)


_NOT_THE_IMAGES = (WorkerDiedError, WorkerSilentError, ServerError, WithheldError)
"""Failures that say nothing against what was asked."""


_OfTurn = Progress | Eased | ConsentWanted | TextDelta | Finished | Failed


class ModelState(StrEnum):
    NONE = "none"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    GONE = "gone"
    """The process ended; the next question starts it again."""


class Journal:
    """Is told of a conversation as it goes on; this one keeps nothing.

    Nothing in here may fail, nor keep the loop waiting.
    """

    hides_places = False
    """Whether what is asked now is about images whose place must not be kept."""

    def begun(self) -> None:
        """What is asked from now on is another conversation."""

    def turns_changed(self, turns: Sequence[Turn]) -> None:
        """The conversation is these turns now."""

    def turn_changed(self, turn: Turn) -> None:
        """A turn's state or text has changed."""

    async def kept(self) -> None:
        """Wait until all that was told is kept, or certainly cannot be."""

    async def close(self) -> None:
        """The program ends."""


class ChatSession:
    """The turns of a conversation and the queue before the model.

    Args:
        engine: Where answers come from; its events are to be given to :meth:`handle`.
        open_pixels: Opens what is attached; runs in a thread; raises ``ImageError``.
        sampling: How answers are decoded; may be replaced between questions.
        system_prompt: Set before every conversation; empty for none.
        smaller_images: Whether images may be read smaller when the memory does not suffice;
            ``ask`` where somebody answers :meth:`consent`.
        place_of: What is to be loaded for a task, by its name; None for what is there. May raise
            ``GlmError``.
    """

    def __init__(
        self,
        engine: Engine,
        open_pixels: Callable[[Attachment], RgbImage],
        *,
        sampling: Sampling = Sampling(),
        system_prompt: str = "",
        smaller_images: SmallerImages = "never",
        place_of: Callable[[str], LoadModel | None] | None = None,
    ) -> None:
        self.engine = engine
        self._place_of = place_of
        self.smaller_images = smaller_images
        self.sampling = sampling
        self.system_prompt = system_prompt
        self.turns: list[Turn] = []
        self.model_state = ModelState.NONE
        self.command: LoadModel | None = None
        """What was to be loaded last."""
        self.model: ModelInfo | None = None
        self.model_error: GlmError | None = None
        self.loading: Loading | None = None
        self._past_loads = 0
        """Loads that were stopped or replaced, and whose end, which the engine tells of each,
        has not come; what is told of them concerns nobody."""
        self._open_pixels = open_pixels
        self.private_task = ""
        """The private task that whatever is asked now belongs to; empty for none."""
        self._private_images: dict[str, str] = {}
        """By the digest of their file those that a private task was asked about, and the task: they
        stay so also where that question was taken out of the conversation."""
        self._undo: list[list[Turn]] = []
        self._is_held = False
        """After :meth:`unload`, until somebody asks: the queue must not load the model again."""
        self.on_change: Callable[[Turn], None] = _ignore
        """Called after a turn's state or text has changed."""
        self.on_placed: Callable[[str, LoadModel | None], None] = _ignore_place
        """Called when a task's own engine is loaded: with the task, and what was loaded before."""
        self.journal = Journal()

    # The model ------------------------------------------------------------------------------

    async def load(self, command: LoadModel) -> None:
        """Load a model; questions asked meanwhile wait for it.

        An answer that is being written is stopped, with what was written kept: the engine ends
        the model of now first, which gives all of its memory back.
        """
        if (turn := self.current) is not None:
            self._set_state(turn, TurnState.STOPPED)
        self._leave_loading()
        self.command = command
        self._is_held = False
        self.model_state, self.model, self.model_error = ModelState.LOADING, None, None
        self.loading = Loading("start")
        await self.engine.load(command)

    def place_for(self, task: str) -> LoadModel | None:
        """What is to be loaded for a task; None when that is there, or the settings name nothing.

        Raises:
            GlmError: the settings cannot be used.
        """
        command = self._place_of(task) if self._place_of is not None else None
        now = self.command.engine if self.command is not None else ""
        return command if command is not None and command.engine != now else None

    async def place(self, task: str) -> bool:
        """Load what the settings name for a task; False when there is nothing to do.

        Raises:
            GlmError: as :meth:`place_for`.
        """
        if (command := self.place_for(task)) is None:
            return False
        self.on_placed(task, self.command)
        await self.load(command)
        return True

    async def stop_loading(self) -> None:
        """End loading or downloading; questions wait until a model is chosen."""
        if self.model_state is ModelState.LOADING:
            self._leave_loading()
            self.model_state = ModelState.NONE
            await self.engine.unload()

    async def unload(self) -> None:
        """Give the memory back. The next question loads the model again; others wait for it."""
        self._is_held = True
        self._leave_loading()
        if self.model_state is not ModelState.FAILED:
            self.model_state = ModelState.GONE
        await self.engine.unload()

    def _leave_loading(self) -> None:
        """Whatever is being loaded concerns nobody any more."""
        self._past_loads += self.model_state is ModelState.LOADING
        self.loading = None

    @property
    def context_used(self) -> int | None:
        """Tokens of the conversation so far, by the engine's own counts; 0 before the first, None
        where nobody has counted.

        A task's question was asked alone, so that its count is of itself only; with the task's own
        instructions, which later questions are asked without.
        """
        used: int | None = 0
        for turn in self.turns:
            if not turn.is_remembered:
                continue
            own = turn.usage.prompt_tokens + turn.usage.completion_tokens
            if turn.reason is None or not turn.usage.is_counted:
                used = None
            elif turn.call is None:
                used = own
            elif used is not None:
                used += own
        return used

    # Questions ------------------------------------------------------------------------------

    @property
    def current(self) -> Turn | None:
        """The turn the model is busy with."""
        busy = (TurnState.READING, TurnState.ANSWERING)
        return next((turn for turn in self.turns if turn.state in busy), None)

    def is_asked(self, request_id: str) -> bool:
        """Whether the model is busy with this request for the conversation."""
        return self.current is not None and self.current.request_id == request_id

    @property
    def queued(self) -> list[Turn]:
        return [turn for turn in self.turns if turn.state is TurnState.QUEUED]

    async def submit(
        self, text: str, attachments: Sequence[Attachment] = (), call: TaskCall | None = None
    ) -> Turn:
        """Ask. The question waits while the model loads or answers."""
        turn = self.add(Message(Role.USER, text, tuple(attachments)), call)
        await self.advance()
        return turn

    def add(self, question: Message, call: TaskCall | None = None) -> Turn:
        """Put a question at the end, to be sent by :meth:`advance`."""
        self._is_held = False
        private = call.task if call is not None and call.is_private else self.private_task
        turn = Turn(question, call=call, private_task=private)
        self._note_private(turn)
        self.turns.append(turn)
        self.journal.turns_changed(self.turns)
        return turn

    async def stop(self) -> None:
        """End the answer that is being written; queued questions are asked next."""
        if (turn := self.current) is None:
            return
        if turn.is_sent:
            turn.is_stopping = True
            self.on_change(turn)
            await self.engine.abort(turn.request_id)
        else:
            self._set_state(turn, TurnState.STOPPED)

    @property
    def consent_wanted(self) -> ConsentWanted | None:
        """What the model waits for."""
        return self.current.consent if self.current is not None else None

    async def consent(self, *, is_given: bool) -> None:
        """Answer what the model waits for, if it does."""
        if (turn := self.current) is not None and turn.consent is not None:
            turn.consent = None
            await self.engine.consent(turn.request_id, is_given=is_given)
            self._tell(turn)

    def withdraw(self, turn: Turn) -> Message:
        """Take back a question that was not sent yet."""
        if turn.state is not TurnState.QUEUED:
            raise ValueError(f"the turn is {turn.state}, not queued")
        self.turns.remove(turn)
        self.journal.turns_changed(self.turns)
        return turn.question

    async def regenerate(self, turn: Turn) -> Turn:
        """Ask the same again; the turn and what came after it can be brought back by undo."""
        again = self.add(self.cut(turn), turn.call)
        await self.advance()
        return again

    def cut(self, turn: Turn) -> Message:
        """Remove a turn and all after it, to be asked anew; :meth:`undo` brings them back."""
        if not self.is_idle:
            raise ValueError("an answer is being written")
        self._undo.append(list(self.turns))
        del self.turns[self.turns.index(turn) :]
        self.journal.turns_changed(self.turns)
        return turn.question

    def clear(self) -> None:
        """Begin a new conversation; :meth:`undo` brings the old one back."""
        self.open([])

    def open(self, turns: Sequence[Turn]) -> None:
        """Go on with another conversation; :meth:`undo` brings the one before back."""
        if not self.is_idle:
            raise ValueError("an answer is being written")
        if self.turns:
            self._undo.append(self.turns)
        self.turns = list(turns)
        for turn in turns:
            self._note_private(turn)
        self.journal.begun()
        self.journal.turns_changed(self.turns)

    def undo(self) -> bool:
        """Bring back what the last :meth:`cut`, :meth:`regenerate` or :meth:`clear` removed.

        What has been asked since is not lost either: the next undo brings that back.
        """
        if not self._undo or not self.is_idle:
            return False
        since, self.turns = self.turns, self._undo.pop()
        if any(turn not in self.turns for turn in since):
            self._undo.append(since)
        self.journal.turns_changed(self.turns)
        return True

    @property
    def is_idle(self) -> bool:
        return all(turn.state.is_over for turn in self.turns)

    def prompt_of(self, turn: Turn) -> Conversation:
        """What the model is given for a turn: system prompt, remembered turns, the question."""
        if turn.call is not None:
            return _alone(turn.call, turn.question)
        messages = [Message(Role.SYSTEM, self.system_prompt)] if self.system_prompt else []
        left: list[Attachment] = []
        for earlier in self.turns[: self.turns.index(turn)]:
            if earlier.is_remembered:
                answer = Message(Role.ASSISTANT, earlier.answer.text)
                messages += [_with_images(earlier.question, left), answer]
                left = []
            elif earlier.leaves_images:
                left += earlier.question.attachments
        return (*messages, _with_images(turn.question, left))

    def private_task_of(self, turn: Turn) -> str:
        """The private task that any of a turn's prompt comes from; empty where there is none.

        A task's question, its answer and every image that it was asked about are its own, also
        where the same image is attached to a question in free words.
        """
        if turn.private_task:
            return turn.private_task
        shown = (image.digest for one in self.prompt_of(turn) for image in one.attachments)
        private = [task for digest in shown if (task := self._private_images.get(digest))]
        earlier = [] if turn.call is not None else self.turns[: self.turns.index(turn)]
        private += [one.private_task for one in earlier if one.private_task and one.is_remembered]
        return private[0] if private else ""

    def _note_private(self, turn: Turn) -> None:
        if turn.private_task:
            for image in turn.question.attachments:
                self._private_images[image.digest] = turn.private_task

    @property
    def images_left(self) -> tuple[Attachment, ...]:
        """Images of questions without an answer, which the next question is asked with; each once,
        as :meth:`prompt_of` has them."""
        left: dict[str, Attachment] = {}
        for turn in self.turns:
            if turn.is_remembered:
                left = {}
            elif turn.leaves_images:
                left |= {image.key: image for image in turn.question.attachments}
        return tuple(left.values())

    @property
    def images(self) -> tuple[Attachment, ...]:
        """The newest images that a question asked now would be about."""
        asked = (
            turn.question.attachments
            for turn in reversed(self.turns)
            if turn.leaves_images or not turn.state.is_over or turn.is_remembered
        )
        return next((images for images in asked if images), ())

    def find_again(self, image: Attachment) -> list[Turn]:
        """Take images of the same file from where this one lies.

        Returns:
            The turns whose images lay elsewhere.
        """
        moved = []
        for turn in self.turns:
            images = tuple(
                msgspec.structs.replace(old, path=image.path) if old.digest == image.digest else old
                for old in turn.question.attachments
            )
            if images != turn.question.attachments:
                turn.question = msgspec.structs.replace(turn.question, attachments=images)
                moved.append(turn)
        return moved

    # What the engine says -------------------------------------------------------------------

    async def handle(self, event: Event) -> None:
        """Take an event in."""
        match event:
            case Loading() if self._past_loads:
                pass
            case Loaded() | Failed(request_id=None) if self._past_loads:
                self._past_loads -= 1
            case Loading():
                self.model_state, self.loading = ModelState.LOADING, event
            case Loaded(model=model):
                self.model_state, self.model, self.loading = ModelState.READY, model, None
                self.model_error = None
                await self.advance()
            case Failed(request_id=None):
                self.model_state, self.loading = ModelState.FAILED, None
                self.model_error = error_of(event)
            case WorkerExited(expected=False):
                if self.model_state is ModelState.READY:
                    self.model_state = ModelState.GONE
                await self.advance()
            case Eased(model=ModelInfo() as model):
                self.model = model
                await self._take(event)
            case Progress() | Eased() | ConsentWanted() | TextDelta() | Finished() | Failed():
                await self._take(event)

    async def _take(self, event: _OfTurn) -> None:
        turn = next((t for t in self.turns if t.request_id == event.request_id), None)
        if turn is None or turn.state.is_over:
            return
        match event:
            case TextDelta(text=text, tokens=tokens):
                if not turn.raw:
                    turn.first_token_at = time.monotonic()
                turn.state, turn.progress = TurnState.ANSWERING, None
                turn.raw += text
                turn.tokens += tokens
            case Progress():
                turn.progress = event
            case Eased(message=message) if message:
                turn.eased.append(message)
            case ConsentWanted():
                turn.consent = event
            case Finished(reason=reason, usage=usage, timing=timing):
                turn.reason, turn.usage, turn.timing = reason, usage, timing
                aborted = reason is FinishReason.ABORT
                turn.state = TurnState.STOPPED if aborted else TurnState.DONE
            case Failed():
                turn.state, turn.error = TurnState.FAILED, error_of(event)
        if turn.state.is_over:
            turn.consent = turn.progress = None
        self._tell(turn)
        if turn.state.is_over:
            await self.advance()

    def _set_state(self, turn: Turn, state: TurnState) -> None:
        turn.state = state
        self._tell(turn)

    def _tell(self, turn: Turn) -> None:
        self.journal.turn_changed(turn)
        self.on_change(turn)

    async def advance(self) -> None:
        """Send the next question if the model is there and free."""
        # A process that died while it loaded may live the next time; a bad checkpoint stays bad.
        died = isinstance(self.model_error, WorkerDiedError)
        ready = died or self.model_state in {ModelState.READY, ModelState.GONE}
        while not self._is_held and self.current is None and self.queued:
            turn = self.queued[0]
            try:
                if await self._is_placed_now(turn) or not ready:
                    return
                turn.asked_at = time.monotonic()
                self._set_state(turn, TurnState.READING)
                await self._send(turn)
            except GlmError as error:
                turn.error = error
                self._set_state(turn, TurnState.FAILED)

    async def _is_placed_now(self, turn: Turn) -> bool:
        """Whether another engine is loaded for it, with which it is asked."""
        if turn.call is None or turn.is_placed:
            return False
        turn.is_placed = True
        return await self.place(turn.call.task)

    async def _put_images(self, message: Message) -> None:
        for attachment in message.attachments:
            if not self.engine.has_image(attachment.key):
                image = await asyncio.to_thread(self._open_pixels, attachment)
                await self.engine.put_image(attachment.key, image)

    async def _send(self, turn: Turn) -> None:
        messages = self.prompt_of(turn)
        for message in messages:
            try:
                await self._put_images(message)
            except ImageError as error:
                raise error if message is turn.question else _of_earlier(error) from error
        await self.journal.kept()
        if turn.state.is_over:
            return  # stopped while its images were opened
        turn.is_sent = True
        call = turn.call
        form = ResultForm(call.schema, call.reasoning_tokens) if call else None
        sampling = self.sampling if call is None else for_task(self.sampling, call)
        turn.private_task = private = self.private_task_of(turn)
        await self.engine.generate(
            Generate(
                turn.request_id,
                messages,
                sampling,
                form,
                smaller_images=self.smaller_images,
                private_task=private,
            )
        )


def for_task(sampling: Sampling, call: TaskCall) -> Sampling:
    """How a task's result is decoded: by what the task says, else as every answer.

    Results are bound to a form, where the user's penalties would fall on its quotes and braces.
    """
    own = {
        name: value
        for name, value in msgspec.structs.asdict(call.generation).items()
        if value is not None
    }
    chosen = msgspec.structs.replace(sampling, repetition_penalty=None, **own)
    room = chosen.max_new_tokens + call.reasoning_tokens  # what is thought is not the result's
    return msgspec.structs.replace(chosen, max_new_tokens=room)


def _alone(call: TaskCall, question: Message) -> Conversation:
    """A task's question, as if it were the first: its result is to be of its images, whatever was
    said of others before."""
    system = [Message(Role.SYSTEM, call.system_prompt)] if call.system_prompt else []
    return (*system, question)


def _with_images(question: Message, images: Sequence[Attachment]) -> Message:
    """The question with images of earlier ones before its own, each once."""
    own = {image.key for image in question.attachments}
    more = {image.key: image for image in images if image.key not in own}
    return Message(question.role, question.text, (*more.values(), *question.attachments))


def _of_earlier(error: ImageError) -> ImageError:
    return type(error)(
        f"An image of an earlier question cannot be read again: {error.title}",
        error.body,
        "Put the file back or attach it again, or edit its question, or begin a new chat.",
    )


def _ignore(_turn: Turn) -> None:
    pass


def _ignore_place(_task: str, _before: LoadModel | None) -> None:
    pass
