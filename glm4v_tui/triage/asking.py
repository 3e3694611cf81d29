"""One image -> what the model says of it: from the store where it is known, else asked and stored.

Two things are asked: the task's result, bound to its form, and how probable the answers are that
stand for the labels. Either is stored when it is there, so what was interrupted is not lost.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import msgspec

from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.engine.protocol import Event, FinishReason, ResultForm, RgbImage, Sampling
from glm4v_tui.errors import ImageError, WorkerDiedError
from glm4v_tui.images import Facts
from glm4v_tui.session import for_task
from glm4v_tui.store.files import Files
from glm4v_tui.store.results import LogLikelihoods, Results, StoredResult
from glm4v_tui.tasks.asking import ask_about
from glm4v_tui.tasks.call import make_call, preparation_of
from glm4v_tui.tasks.outcome import outcome_of
from glm4v_tui.tasks.results import ResultState
from glm4v_tui.triage.digests import keep, read_content, remembered
from glm4v_tui.triage.identity import asked_key
from glm4v_tui.triage.requests import Requests, ShownImage, Withdrawn
from glm4v_tui.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from glm4v_tui.engine.engine import Engine
    from glm4v_tui.engine.protocol import SmallerImages
    from glm4v_tui.store.database import Database
    from glm4v_tui.tasks.asking import TaskQuestion
    from glm4v_tui.tasks.outcome import Outcome
    from glm4v_tui.tasks.task import Language, Task

_OPENING = 4
"""Images that are read and opened at a time: the first of many is asked about before all of them
are open."""
_READING = 4
"""Files that are read and opened at a time: the first of many is asked about before all of them
are open."""
_FACTS = msgspec.json.Decoder(tuple[Facts, ...])


@dataclass(frozen=True)
class Judged:
    """What the model said of one image."""

    image_key: str
    """``Attachment.key``."""
    digest: str
    """SHA-256 of the file."""
    outcome: Outcome | None
    """The result as the task sees it; None where only labels were asked for."""
    probabilities: Mapping[str, float]
    """By label; they sum to 1 over the labels that have an answer. Empty where not asked for."""
    label: str | None
    """The model's label: the most probable one, else what the result speaks for."""
    seconds: float
    """That the model took, now or when it was stored."""
    is_stored: bool
    """It came from the store."""


__all__ = ["Asker", "Judged", "Withdrawn", "answers_of", "probabilities"]


class Asker:
    """Asks a task's question about one image after the other, and nothing twice.

    For one event loop; what waits for the disk is done in threads. Several images may be judged at
    a time: :attr:`at_once` of them are asked about together, and one more is opened meanwhile.

    Args:
        engine: Its events are to be given to :meth:`handle`.
        model_key: ``triage.identity.model_key``; may be replaced once the model is loaded.
        sampling: How the user's settings have answers decoded; the task's own comes first.
        wants_result: False asks for the labels alone, which is faster.
        ready: Awaited before the model is asked about an image: a model that is loaded there is
            not loaded where the store knows everything.
        smaller_images: Whether the model may read them smaller when the memory does not suffice.
        asks_again: Results in the store that are not whole, or not in the task's form, are asked
            for anew: another attempt may go well where the model is not bound to the form.

    Raises:
        PluginError: the task's own code or form is at fault.
    """

    def __init__(
        self,
        engine: Engine,
        database: Database,
        task: Task[Any, Any],
        options: msgspec.Struct,
        language: Language,
        model_key: str,
        *,
        sampling: Sampling = Sampling(),
        wants_result: bool = True,
        ready: Callable[[], Awaitable[None]] | None = None,
        smaller_images: SmallerImages = "never",
        asks_again: bool = False,
    ) -> None:
        self.model_key = model_key
        self._engine = engine
        self._database = database
        self._task = task
        self._options = options
        self._language = language
        self._sampling = sampling
        self._wants_result = wants_result or not answers_of(task)
        self._asked = asked_key(task, options, language, sampling)
        self._preparation = preparation_of(task, options)
        self._files = Files(database, is_private=task.is_private)
        self._requests = Requests(
            engine, smaller_images, private_task=task.name if task.is_private else ""
        )
        self._reading = Turns(_READING)
        self._held, self._turns, self._at_once = Turns(2), Turns(1), 1
        self._suspects = 0
        """Images that are asked about once more since the model's process ended."""
        self._contents: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._ready = ready
        self._asks_again = asks_again

    @property
    def at_once(self) -> int:
        """Images that the model makes use of at a time (``ModelInfo.at_once``)."""
        return self._at_once

    @at_once.setter
    def at_once(self, value: int) -> None:
        self._at_once, self._held.at_once = value, value + 1
        self._turns.at_once = 1 if self._suspects else value

    # What is known --------------------------------------------------------------------------

    def known(self, path: Path) -> Judged | None:
        """What the store has of a file that is as it was when it was read; None where nothing.

        Asks the disk for the file's size and time, and reads no image.

        Raises:
            StoreError: the database cannot be read.
        """
        try:
            digest = remembered(self._files, _absolute(path))
        except ImageError:  # nothing is there, or it may not be looked at
            return None
        return None if digest is None else self.known_by_digest(digest)

    def known_by_digest(self, digest: str) -> Judged | None:
        """The same by the SHA-256 of the file.

        Raises:
            StoreError: the database cannot be read.
        """
        key = self._key(digest)
        stored = self._stored(key)
        if stored is None or not self._is_whole(stored):
            return None
        return self._judged(key, digest, stored, is_stored=True)

    @property
    def _results(self) -> Results:
        return Results(self._database, self._asked, self.model_key)

    def _key(self, digest: str) -> str:
        variant = "" if self._preparation is None else self._preparation.key
        return Attachment("", digest, 0, 0, variant=variant).key

    def _stored(self, key: str) -> StoredResult | None:
        stored = self._results.get(key)
        if stored is None or not self._asks_again:
            return stored
        outcome = self._outcome(stored)
        has_failed = outcome is not None and outcome.result.state is not ResultState.WHOLE
        return msgspec.structs.replace(stored, raw=None) if has_failed else stored

    def _is_whole(self, stored: StoredResult) -> bool:
        """Whether all is there that is asked for."""
        has_result = stored.raw is not None or not self._wants_result
        return has_result and (stored.log_likelihoods is not None or not answers_of(self._task))

    def _judged(self, key: str, digest: str, stored: StoredResult, *, is_stored: bool) -> Judged:
        outcome = self._outcome(stored)
        chances = probabilities(stored.log_likelihoods or {})
        spoken_for = None if outcome is None else outcome.label
        label = max(chances, key=chances.__getitem__) if chances else spoken_for
        return Judged(key, digest, outcome, chances, label, stored.seconds, is_stored)

    def _outcome(self, stored: StoredResult) -> Outcome | None:
        if stored.raw is None or not self._wants_result:
            return None
        facts = _FACTS.decode(stored.facts or "[]")
        call = make_call(self._task, self._options, self._language, facts)
        return outcome_of(self._task, call, stored.raw, is_finished=stored.is_finished)

    # Asking ---------------------------------------------------------------------------------

    async def judge(self, path: Path, *, urgent: bool = False) -> Judged:
        """What the model says of an image: from the store, or asked now and then stored.

        Args:
            urgent: Somebody looks at it: it is asked about before all others.

        Raises:
            ImageError: the file cannot be shown to the model.
            EngineError: the model or its process failed.
            PluginError: the task's own code is at fault.
            StoreError: the database cannot be read or written.
            Withdrawn: :meth:`cancel` was called.
        """
        generation = self._requests.generation
        is_first = urgent and self.at_once > 1
        async with self._reading.one(is_first=is_first):
            digest = await self.digest(path)
            if (known := self.known_by_digest(digest)) is not None:
                return known
        async with self._held.one(is_first=is_first), self._content(digest):
            async with self._reading.one(is_first=is_first):
                asked = await asyncio.to_thread(self._open, path)
            return await self._in_turn(asked, generation, is_first=is_first)

    async def _in_turn(self, asked: TaskQuestion, generation: int, *, is_first: bool) -> Judged:
        """Where the model's process ended while it had several images, it is asked once more about
        each, one at a time: only for one of them it may end again."""
        was_alone = self._turns.at_once == 1
        try:
            return await self._once(asked, generation, is_first=is_first)
        except WorkerDiedError:
            if was_alone:
                raise
        self._suspects += 1
        self.at_once = self._at_once
        try:
            return await self._once(asked, generation, is_first=is_first)
        finally:
            self._suspects -= 1
            self.at_once = self._at_once

    async def _once(self, asked: TaskQuestion, generation: int, *, is_first: bool) -> Judged:
        async with self._turns.one(is_first=is_first):
            if self._ready is not None:
                await self._ready()
            self._requests.require(generation)
            return await self._ask(asked, urgent=is_first)

    def _content(self, digest: str) -> asyncio.Lock:
        """One of several files with the same content is asked about, the others find its answer."""
        return self._contents.setdefault(digest, asyncio.Lock())

    async def cancel(self) -> None:
        """End what is asked now; each such :meth:`judge` raises ``Withdrawn``."""
        await self._requests.withdraw()

    def handle(self, event: Event) -> bool:
        """Take an event of the engine; True when it belongs to a request of this object."""
        return self._requests.handle(event)

    async def digest(self, path: Path) -> str:
        """The SHA-256 of a file, which is read only if it is not remembered.

        Raises:
            ImageError: it cannot be read.
            StoreError: the database cannot be used.
        """
        path = _absolute(path)
        known = remembered(self._files, path)
        if known is not None:
            return known
        return await asyncio.to_thread(lambda: keep(self._files, path, read_content(path)))

    def _open(self, path: Path) -> TaskQuestion:
        return ask_about(self._task, [(path, None)], self._language, options=self._options)

    async def _ask(self, asked: TaskQuestion, *, urgent: bool) -> Judged:
        attachment = asked.attachments[0]
        key = attachment.key
        stored = self._stored(key) or StoredResult()
        if self._is_whole(stored):  # another file with this content was asked about meanwhile
            return self._judged(key, attachment.digest, stored, is_stored=True)
        async with self._shown(asked, urgent=urgent) as image:
            if stored.log_likelihoods is None and answers_of(self._task):
                stored = await self._with_likelihoods(stored, image)
                await asyncio.to_thread(self._results.put, key, stored)
            if stored.raw is None and self._wants_result:
                stored = await self._with_result(stored, asked, image)
                await asyncio.to_thread(self._results.put, key, stored)
        return self._judged(key, attachment.digest, stored, is_stored=False)

    def _shown(
        self, asked: TaskQuestion, *, urgent: bool
    ) -> AbstractAsyncContextManager[ShownImage]:
        picture = asked.opened[0].image
        pixels = RgbImage(picture.width, picture.height, picture.tobytes())
        return self._requests.shown(asked.attachments[0], pixels, urgent=urgent)

    async def _with_likelihoods(self, stored: StoredResult, image: ShownImage) -> StoredResult:
        answers = answers_of(self._task)
        question = self._task.label_question.in_language(self._language)
        messages = (Message(Role.USER, question, (image.attachment,)),)
        scored = await self._requests.score(image, messages, tuple(answers.values()))
        if not scored.log_likelihoods:  # nobody knows them: there are none, rather than some
            return msgspec.structs.replace(
                stored, log_likelihoods={}, seconds=stored.seconds + scored.total_s
            )
        told = zip(answers, scored.log_likelihoods, scored.tokens, strict=True)
        found = {label: (likelihood, tokens) for label, likelihood, tokens in told}
        seconds = stored.seconds + scored.total_s
        return msgspec.structs.replace(stored, log_likelihoods=found, seconds=seconds)

    async def _with_result(
        self, stored: StoredResult, asked: TaskQuestion, image: ShownImage
    ) -> StoredResult:
        call = asked.call
        system = [Message(Role.SYSTEM, call.system_prompt)] if call.system_prompt else []
        messages = (*system, Message(Role.USER, asked.text, (image.attachment,)))
        form = ResultForm(call.schema, call.reasoning_tokens)
        raw, finished = await self._requests.generate(
            image, messages, for_task(self._sampling, call), form
        )
        return msgspec.structs.replace(
            stored,
            raw=raw,
            is_finished=finished.reason is FinishReason.STOP,
            facts=msgspec.json.encode(call.facts).decode(),
            seconds=stored.seconds + finished.timing.total_s,
        )


def _absolute(path: Path) -> Path:
    return path.absolute()


def probabilities(likelihoods: LogLikelihoods) -> dict[str, float]:
    """How probable each label is: exp(log-likelihood / tokens) of its answer, normalized.

    Dividing by the number of tokens keeps an answer from losing for being longer.
    """
    if not likelihoods:
        return {}
    means = {label: total / tokens for label, (total, tokens) in likelihoods.items()}
    most = max(means.values())
    weights = {label: math.exp(mean - most) for label, mean in means.items()}
    whole = sum(weights.values())
    return {label: weight / whole for label, weight in weights.items()}


def answers_of(task: Task[Any, Any]) -> dict[str, str]:
    """By label, what the model would say; empty where it is not asked."""
    if not task.label_question.en.strip():
        return {}
    return {label.name: label.answer for label in task.labels if label.answer}
