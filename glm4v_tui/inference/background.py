"""Requests that nobody waits for at a screen, answered several at a time.

They outlast the model: while it is loaded in another way, for want of memory, they wait, and go on
where they were. One that the memory does not suffice for even alone among the rows, and all of them
where several cannot be written together, are handed over to be answered alone.
"""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glm4v_tui.engine.protocol import Progress, TextDelta
from glm4v_tui.inference.draft import Draft
from glm4v_tui.inference.shortage import is_shortage

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.engine.protocol import Event, Generate
    from glm4v_tui.inference.decoding import Decoder
    from glm4v_tui.inference.draft import Answered
    from glm4v_tui.inference.language.batch import Batch, Row
    from glm4v_tui.inference.prompt import Prompt

    Emit = Callable[[Event], None]
    ShouldStop = Callable[[], bool]

READY = 4
"""Prompts that are made ahead, so that a row that ends is taken over at once. One of an image of
1120x1120 pixels takes 30 MB and, on a CPU, a tenth of a second."""
_PAUSE_S = 0.01
_USUAL_TOKENS = 2048
"""Of a question about one image with its answer."""


@dataclass
class Ended:
    """What became of a request."""

    request: Generate
    prompt: Prompt | None = None
    answered: Answered | None = None
    error: Exception | None = None
    """In place of an answer."""
    started: float = 0.0
    """By ``time.monotonic``: when its prompt came to be read."""


@dataclass
class Alone:
    """A request that has not ended, and is to be gone on with by itself."""

    request: Generate
    draft: Draft
    started: float
    """As that of ``Ended``; now, where nothing was read."""


@dataclass
class _Asked:
    request: Generate
    emit: Emit
    should_stop: ShouldStop
    prompt: Future[Prompt] | None = None
    draft: Draft = field(default_factory=Draft)
    started: float | None = None


@dataclass
class _Written:
    asked: _Asked
    row: Row
    end: Callable[[], Answered]


class Background:
    """The requests that are not urgent.

    Args:
        write: Makes a prompt of a request; called in a thread of its own.
    """

    def __init__(self, write: Callable[[Generate, Emit], Prompt]) -> None:
        self._write = write
        self._thread = ThreadPoolExecutor(1, "prompts")
        self._asked: deque[_Asked] = deque()
        self._written: list[_Written] = []
        self._decoder: Decoder | None = None
        self._batch: Batch | None = None

    # The model ----------------------------------------------------------------------------------

    def use(self, decoder: Decoder) -> None:
        """Answer with this model from now on."""
        self.leave()
        self._decoder = decoder
        self._begin_anew()

    def leave(self) -> None:
        """Let go of the model, which goes: what was begun waits for the next one."""
        begun = [self._put_back(one) for one in self._written]
        self._written.clear()
        self._asked.extendleft(reversed(begun))
        for asked in self._asked:
            asked.prompt = None  # the next model may see images smaller
        if self._batch is not None:
            self._batch.step_back()
        self._decoder = self._batch = None

    @property
    def at_once(self) -> int:
        """Requests that are of use at a time: for each row one, and some that are made ready."""
        if self._batch is None or not self._writes_together:
            return 1
        return self._batch.expected_rows(_USUAL_TOKENS) + READY

    @property
    def nbytes(self) -> int:
        """Of the keys and values of what is written."""
        return 0 if self._batch is None else self._batch.nbytes

    def give_back(self) -> None:
        """Give these back; the answers go on later, fewer at a time."""
        if self._batch is not None:
            self._batch.halve()

    def _begin_anew(self) -> None:
        if self._batch is not None:
            self._batch.step_back()
        can = self._decoder is not None and self._decoder.own is not None
        self._batch = self._decoder.new_batch() if can and self._decoder is not None else None

    @property
    def _writes_together(self) -> bool:
        return self._decoder is not None and self._decoder.runs_own_loop

    # The requests -------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        return not (self._asked or self._written)

    def add(self, request: Generate, emit: Emit, should_stop: ShouldStop) -> None:
        """Take a request; :meth:`work` tells its end."""
        self._asked.append(_Asked(request, emit, should_stop))

    def work(self, is_interrupted: ShouldStop) -> list[Ended | Alone]:
        """A prompt read or a token written for each; returns at once where it is interrupted."""
        if self._batch is None or self._decoder is None or not self._writes_together:
            return self._hand_over()
        ended = self._make_prompts(self._batch, self._decoder)
        rows = self._batch.work(is_interrupted)
        return ended + [self._ended(row) for row in rows]

    def forget(self) -> list[Generate]:
        """Give all requests up; those that there were."""
        decoder = self._decoder
        self.leave()
        requests = [asked.request for asked in self._asked]
        self._asked.clear()
        if decoder is not None:
            self.use(decoder)
        return requests

    def _hand_over(self) -> list[Ended | Alone]:
        begun = [self._put_back(one) for one in self._written]
        asked, self._written, self._asked = [*begun, *self._asked], [], deque()
        self._begin_anew()
        return [self._alone(one) for one in asked]

    # Prompts ------------------------------------------------------------------------------------

    def _make_prompts(self, batch: Batch, decoder: Decoder) -> list[Ended | Alone]:
        """Hand prompts that are ready to the batch; wait for one where there is nothing else."""
        stopped = [one for one in self._asked if one.should_stop()]
        for one in stopped:
            self._asked.remove(one)
        ended: list[Ended | Alone] = [self._stopped(one) for one in stopped]
        for one in list(self._asked)[: max(0, READY - batch.waiting)]:
            if one.prompt is None:
                one.prompt = self._thread.submit(self._prompt, one)
        while self._asked and (prompt := self._asked[0].prompt) is not None:
            try:
                found = prompt.result(_PAUSE_S if batch.is_idle else 0)
                self._join(self._asked[0], found, batch, decoder)
            except NotYet:
                break
            except Exception as error:  # noqa: BLE001 - told as the request's failure
                ended.append(self._failed(self._asked[0], error))
            self._asked.popleft()
        return ended

    def _prompt(self, asked: _Asked) -> Prompt:
        name = asked.request.request_id
        if not asked.should_stop() and any(
            message.attachments for message in asked.request.messages
        ):
            asked.emit(Progress(name, "images"))
        return self._write(asked.request, asked.emit)

    def _join(self, asked: _Asked, prompt: Prompt, batch: Batch, decoder: Decoder) -> None:
        request, name = asked.request, asked.request.request_id

        def tell(text: str, tokens: int) -> None:
            asked.emit(TextDelta(name, text, tokens))

        row, end = decoder.row(
            prompt, request.sampling, tell, asked.should_stop, request.form, asked.draft
        )
        row.begun_at = asked.started
        asked.emit(Progress(name, "prompt"))
        self._written.append(_Written(asked, row, end))
        batch.add(row)

    # Ends ---------------------------------------------------------------------------------------

    def _ended(self, row: Row) -> Ended | Alone:
        written = next(one for one in self._written if one.row is row)
        self._written.remove(written)
        asked = self._put_back(written)
        if row.error is not None:
            return self._failed(asked, row.error)
        started = asked.started or time.monotonic()
        return Ended(asked.request, row.prompt, written.end(), started=started)

    def _put_back(self, written: _Written) -> _Asked:
        asked = written.asked
        asked.prompt, asked.started = None, written.row.begun_at
        return asked

    def _failed(self, asked: _Asked, error: Exception) -> Ended | Alone:
        if is_shortage(error):
            return self._alone(asked)
        asked.draft.finish()
        return Ended(asked.request, error=error)

    def _alone(self, asked: _Asked) -> Alone:
        return Alone(asked.request, asked.draft, asked.started or time.monotonic())

    def _stopped(self, asked: _Asked) -> Ended:
        if asked.prompt is not None:
            asked.prompt.cancel()
        asked.draft.finish()
        return Ended(asked.request)
