"""Several answers written together: one step reads the weights once for all of them.

A row that ends is free for the next prompt at once (continuous batching). Rows stand in the first
slots of one cache; a step takes the smallest number of slots that it can be made for and that all
rows are in. Slots without a row are computed along: what they write, the next prompt overwrites.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from glm4v_tui.inference.language.batch_room import (
    affordable,
    free_bytes,
    row_bytes,
    size_for,
    sizes_for,
)
from glm4v_tui.inference.language.batch_step import BatchStep
from glm4v_tui.inference.language.choice import Chooser
from glm4v_tui.inference.language.continuation import arrival
from glm4v_tui.inference.language.guard import require_numbers
from glm4v_tui.inference.language.kv_cache import KvCache
from glm4v_tui.inference.language.reading import Stopped
from glm4v_tui.inference.shortage import is_shortage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glm4v_tui.inference.language.choice import Settings
    from glm4v_tui.inference.language.writer import Begun, Mask, Writer
    from glm4v_tui.inference.prompt import Prompt

    ShouldStop = Callable[[], bool]
    Watched = Callable[[ShouldStop], contextlib.AbstractContextManager[Any]]
    """Makes what runs inside leave early when it is to stop, between any two layers."""


@dataclass(eq=False)
class Row:
    """One answer, from its prompt to its end."""

    prompt: Prompt
    settings: Settings
    limit: int
    """Of tokens, at least one more than there are."""
    mask: Mask | None
    take: Callable[[int], bool]
    """Told every token in its turn; True ends the answer."""
    should_stop: ShouldStop
    tokens: list[int] = field(default_factory=list)
    """The answer so far; not empty at first where it was begun elsewhere."""
    error: Exception | None = None
    """Why it ended, where it did not end well."""
    chooser: Chooser | None = None
    length: int = 0
    """Tokens in the cache."""
    position: int = 0
    """Of the token that comes next."""
    begun_at: float | None = None
    """By ``time.monotonic``, when its prompt came to be read first."""
    logits: torch.Tensor | None = None
    """Of the next token, (vocabulary,); None while it waits to be read."""

    @property
    def needs(self) -> int:
        """Tokens that its slot must hold."""
        return self.prompt.tokens + self.limit

    @property
    def takes_largest(self) -> bool:
        """Its next token is that of the largest logit."""
        return self.mask is None and self.chooser is not None and self.chooser.takes_largest


class Batch:
    """Answers in the rows of one cache, which is not the conversation's.

    Args:
        writer: Whose model and images' features are used.
        most: Rows at a time; the device's own limit where none is given.
        watched: See ``Watched``.
    """

    def __init__(
        self,
        writer: Writer,
        most: int | None = None,
        watched: Watched = lambda _: contextlib.nullcontext(),
    ) -> None:
        self._writer, self._stack = writer, writer.stack
        self._sizes = sizes_for(self._stack)
        self._limit = min(most or self._sizes[-1], self._sizes[-1])
        """Rows that memory was enough for, as far as is known."""
        self._watched = watched
        self._waiting: deque[Row] = deque()
        self._ended: list[Row] = []
        self._is_ahead = self._stack.device.type != "cpu"
        self._cache = KvCache(self._stack)
        self._slots: list[Row | None] = []
        self._step: BatchStep | None = None
        self._none = torch.zeros(1, dtype=torch.int64, device=self._stack.device)

    # What others see ----------------------------------------------------------------------------

    def add(self, row: Row) -> None:
        """Let an answer wait for its slot."""
        self._waiting.append(row)

    @property
    def rows(self) -> list[Row]:
        """Answers that are being written."""
        return [row for row in self._slots if row is not None]

    @property
    def is_idle(self) -> bool:
        return not (self._waiting or self.rows or self._ended)

    @property
    def waiting(self) -> int:
        """Answers that wait for a slot."""
        return len(self._waiting)

    @property
    def most_at_once(self) -> int:
        """Rows that the cache has."""
        return len(self._slots)

    @property
    def nbytes(self) -> int:
        """Of the keys and values."""
        return self._cache.nbytes

    def expected_rows(self, tokens: int) -> int:
        """Rows that memory is enough for now, each for so many tokens."""
        return affordable(self._stack, tokens, self._limit)

    def drop(self, row: Row) -> None:
        """Forget an answer, wherever it is."""
        with contextlib.suppress(ValueError):
            self._waiting.remove(row)
        self._free(row)

    def step_back(self) -> None:
        """Give the memory back; answers that have begun wait, and go on where they were."""
        rows = self.rows
        for row in rows:
            row.logits = row.chooser = None
        self._waiting.extendleft(reversed(rows))
        self._slots, self._step = [], None
        self._cache.release()

    def halve(self) -> None:
        """Go on with half as many rows: memory has run out."""
        self._limit = max(1, (len(self._slots) or self._limit) // 2)
        self.step_back()
        if self._stack.device.type == "cuda":
            torch.cuda.empty_cache()

    def collect(self) -> list[Row]:
        """Rows that have ended since the last call, those that are to stop among them."""
        for row in [*self.rows, *self._waiting]:
            if row.should_stop():
                self.drop(row)
                self._ended.append(row)
        ended, self._ended = self._ended, []
        return ended

    @torch.inference_mode()
    def work(self, is_interrupted: ShouldStop = lambda: False) -> list[Row]:
        """Read a prompt if there is a slot for one, then write one token of each row.

        Args:
            is_interrupted: Asked between layers; a prompt that is being read then waits again.

        Returns:
            Rows that have ended.
        """
        ended = self.collect()
        if self._waiting and not is_interrupted():
            self._begin_next(is_interrupted)
        if self.rows and not is_interrupted():
            self._write()
        return ended + self.collect()

    # Reading ------------------------------------------------------------------------------------

    def _begin_next(self, is_interrupted: ShouldStop) -> None:
        row = self._waiting[0]
        failure: Exception | None = None
        try:
            if (slot := self._slot_for(row)) is None:
                return
            row.begun_at = row.begun_at or time.monotonic()
            if (begun := self._read(row, slot, is_interrupted)) is not None:
                self._begin(row, slot, begun)
                self._waiting.popleft()
        except Exception as error:  # noqa: BLE001 - one row's failure is no other's
            failure = _alone(error)
        if failure is not None:  # outside: else what failed would be held by this frame
            self._failed_to_begin(row, failure)

    def _read(self, row: Row, slot: int, is_interrupted: ShouldStop) -> Begun | None:
        """None when it was to stop."""

        def should_stop() -> bool:
            return row.should_stop() or is_interrupted()

        own = self._cache.rows_from(slot, 1)
        with self._watched(should_stop), contextlib.suppress(Stopped):
            return self._writer.read_into(own, row.prompt, row.tokens, should_stop)
        return None

    def _begin(self, row: Row, slot: int, begun: Begun) -> None:
        require_numbers(begun.logits)
        stack, tokens = self._stack, row.tokens
        before = [*row.prompt.inputs["input_ids"][0].tolist(), *tokens]
        row.chooser = Chooser(row.settings, stack.vocabulary, before, stack.device, len(tokens))
        row.length, row.position, row.logits = begun.tokens, begun.position, begun.logits
        self._slots[slot] = row

    def _failed_to_begin(self, row: Row, error: Exception) -> None:
        is_short = is_shortage(error)
        if self._limit > 1 and is_short:
            self.halve()
            return
        self.drop(row)
        if is_short:  # it was the only one; what is done about it needs all memory that there is
            self.step_back()
        row.error = _alone(error)
        self._ended.append(row)

    # Room ---------------------------------------------------------------------------------------

    def _slot_for(self, row: Row) -> int | None:
        """A slot that holds what the row needs; None while there is none."""
        is_short = self._cache.capacity < row.needs
        if not self.rows and (is_short or not self._slots):
            self._lay_out(row.needs)
        elif None not in self._slots or (is_short and not self._grow(row.needs)):
            return None  # for a prompt that is too long there is room when the others are done
        return self._slots.index(None)

    def _lay_out(self, tokens: int) -> None:
        """Make a cache anew, of as many rows as memory is enough for."""
        self._cache.release()
        self._step, self._slots = None, []
        rows = affordable(self._stack, tokens, self._limit)
        cache = KvCache(self._stack, rows)
        cache.make_room(tokens)
        self._cache, self._slots = cache, [None] * rows
        self._step = BatchStep(self._writer, cache)

    def _grow(self, tokens: int) -> bool:
        """Make the slots longer while rows are in them, if memory is enough for it."""
        stack, cache = self._stack, self._cache
        more = row_bytes(stack, tokens) - row_bytes(stack, cache.capacity)
        if len(self._slots) * more > free_bytes(stack.device):
            return False
        cache.make_room(tokens, kept=max(row.length for row in self.rows))
        return True

    def _free(self, row: Row) -> None:
        for slot, held in enumerate(self._slots):
            if held is row:
                self._slots[slot] = None

    def _move_together(self) -> None:
        """Move rows from the last slots to free ones, where a smaller step is enough then."""
        enough = size_for(len(self.rows), self._sizes)
        for slot, row in enumerate(self._slots):
            if slot >= enough and row is not None:
                free = self._slots.index(None)
                self._cache.move(slot, free, row.length)
                self._slots[free], self._slots[slot] = row, None

    # Writing ------------------------------------------------------------------------------------

    def _write(self) -> None:
        """One token of each row. A GPU begins the next step before it is known which they are."""
        failure: Exception | None = None
        self._move_together()
        rows = list(self._slots[: size_for(len(self.rows), self._sizes)])
        try:
            chosen = self._choose(rows)
            arrived = arrival(chosen)
        except Exception as error:  # noqa: BLE001 - the same
            failure = _alone(error)
        if failure is not None:
            self._failed_to_go_on(failure)
            return
        if self._is_ahead:
            failure = self._go_on(rows, chosen)
        for row, token in zip(rows, arrived(), strict=True):
            if row is not None and row.error is None:
                self._take(row, token)
        if self.rows and not self._is_ahead:
            self._move_together()
            rows = list(self._slots[: size_for(len(self.rows), self._sizes)])
            last = [0 if row is None else row.tokens[-1] for row in rows]
            failure = self._go_on(rows, torch.tensor(last))
        if failure is not None:
            self._failed_to_go_on(failure)

    def _choose(self, rows: Sequence[Row | None]) -> torch.Tensor:
        """The next token of each slot, (slots,)."""
        going = [row for row in rows if row is not None]
        if all(row.takes_largest for row in going):
            logits: list[Any] = [(row or going[0]).logits for row in rows]
            return torch.stack(logits).argmax(-1)
        return torch.cat([self._none if row is None else self._chosen(row) for row in rows])

    def _chosen(self, row: Row) -> torch.Tensor:
        assert row.chooser is not None
        assert row.logits is not None
        try:
            return row.chooser.choose(row.logits, row.mask)
        except Exception as error:  # noqa: BLE001 - a form that cannot be used is its row's alone
            row.error = _alone(error)
            self._free(row)
            self._ended.append(row)
            return self._none

    def _take(self, row: Row, token: int) -> None:
        row.tokens.append(token)
        try:
            is_over = row.take(token)
        except Exception as error:  # noqa: BLE001 - the same
            row.error, is_over = _alone(error), True
        if is_over or len(row.tokens) >= row.limit:
            self._free(row)
            self._ended.append(row)

    def _go_on(self, rows: list[Row | None], tokens: torch.Tensor) -> Exception | None:
        """The step after these tokens; what it failed with."""
        going = [row for row in rows if row is not None and row.error is None]
        if all(row.length >= row.needs - 1 for row in going):
            return None  # each has its last token
        assert self._step is not None
        try:
            places = [None if row is None else (row.length, row.position) for row in rows]
            logits = self._step.run(places, tokens)
        except Exception as error:  # noqa: BLE001 - memory running out is gone on after
            return _alone(error)
        for slot, row in enumerate(rows):
            if row is not None:
                row.logits = logits[slot]
                row.length += 1
                row.position += 1
        return None

    def _failed_to_go_on(self, error: Exception) -> None:
        """Memory has run out, or all of it has failed."""
        rows = self.rows
        if self._limit > 1 and is_shortage(error):
            self.halve()
            return
        self.step_back()
        for row in rows:
            self.drop(row)
            row.error = error
            self._ended.append(row)


def _alone(error: Exception) -> Exception:
    """An exception without what the frames that it went through hold: tensors, above all."""
    traceback.clear_frames(error.__traceback__)
    return error
