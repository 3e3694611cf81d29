"""Requests that nobody waits for at a screen, answered several at a time."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm4v_tui.engine.protocol import Progress, TextDelta

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.engine.protocol import Event, Generate
    from glm4v_tui.inference.decoding import Answered, Decoder
    from glm4v_tui.inference.language.batch import Row
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
class _Asked:
    request: Generate
    emit: Emit
    should_stop: ShouldStop
    prompt: Future[Prompt] | None = None


@dataclass
class _Written:
    asked: _Asked
    row: Row
    end: Callable[[], Answered]


class Background:
    """The requests of one model.

    Args:
        write: Makes a prompt of a request; called in a thread of its own.
    """

    def __init__(self, decoder: Decoder, write: Callable[[Generate], Prompt]) -> None:
        self._decoder = decoder
        self._write = write
        self._thread = ThreadPoolExecutor(1, "prompts")
        self._asked: deque[_Asked] = deque()
        self._written: list[_Written] = []
        self.batch = decoder.new_batch()

    @property
    def at_once(self) -> int:
        """Requests that are of use at a time: for each row one, and some that are made ready."""
        return self.batch.expected_rows(_USUAL_TOKENS) + READY

    @property
    def is_idle(self) -> bool:
        return not (self._asked or self._written)

    def add(self, request: Generate, emit: Emit, should_stop: ShouldStop) -> None:
        """Take a request; :meth:`work` tells its end."""
        self._asked.append(_Asked(request, emit, should_stop))

    def work(self, is_interrupted: ShouldStop) -> list[Ended]:
        """A prompt read or a token written for each; returns at once where it is interrupted."""
        ended = self._make_prompts()
        rows = self.batch.work(is_interrupted)
        return ended + [self._ended(row) for row in rows]

    def forget(self) -> list[Generate]:
        """Give all requests up; those that there were."""
        requests = [one.asked.request for one in self._written] + [a.request for a in self._asked]
        self._asked.clear()
        self._written.clear()
        self.batch.step_back()
        self.batch = self._decoder.new_batch()
        return requests

    def close(self) -> None:
        """Give everything back."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self.batch.step_back()

    # Prompts ------------------------------------------------------------------------------------

    def _make_prompts(self) -> list[Ended]:
        """Hand prompts that are ready to the batch; wait for one where there is nothing else."""
        stopped = [one for one in self._asked if one.should_stop()]
        for one in stopped:
            self._asked.remove(one)
        ended = [self._stopped(one) for one in stopped]
        for one in list(self._asked)[: max(0, READY - self.batch.waiting)]:
            if one.prompt is None:
                one.prompt = self._thread.submit(self._prompt, one)
        while self._asked and (prompt := self._asked[0].prompt) is not None:
            try:
                found = prompt.result(_PAUSE_S if self.batch.is_idle else 0)
            except NotYet:
                break
            except Exception as error:  # noqa: BLE001 - told as the request's failure
                ended.append(Ended(self._asked.popleft().request, error=error))
                continue
            if (failed := self._join(self._asked.popleft(), found)) is not None:
                ended.append(failed)
        return ended

    def _prompt(self, asked: _Asked) -> Prompt:
        name = asked.request.request_id
        if not asked.should_stop() and any(
            message.attachments for message in asked.request.messages
        ):
            asked.emit(Progress(name, "images"))
        return self._write(asked.request)

    def _join(self, asked: _Asked, prompt: Prompt) -> Ended | None:
        request, name = asked.request, asked.request.request_id

        def tell(text: str, tokens: int) -> None:
            asked.emit(TextDelta(name, text, tokens))

        try:
            row, end = self._decoder.row(
                prompt, request.sampling, tell, asked.should_stop, request.form
            )
        except Exception as error:  # noqa: BLE001 - the same
            return Ended(request, error=error)
        asked.emit(Progress(name, "prompt"))
        self._written.append(_Written(asked, row, end))
        self.batch.add(row)
        return None

    # Ends ---------------------------------------------------------------------------------------

    def _ended(self, row: Row) -> Ended:
        written = next(one for one in self._written if one.row is row)
        self._written.remove(written)
        request = written.asked.request
        if row.error is not None:
            return Ended(request, error=row.error)
        started = row.begun_at or time.monotonic()
        return Ended(request, row.prompt, written.end(), started=started)

    def _stopped(self, asked: _Asked) -> Ended:
        if asked.prompt is not None:
            asked.prompt.cancel()
        return Ended(asked.request)
