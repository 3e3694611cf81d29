"""Answers of one model: what of the prompt is new is read, then token after token is chosen."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from glm4v_tui.inference.kernels import has_triton
from glm4v_tui.inference.language.branches import in_passes
from glm4v_tui.inference.language.choice import Chooser
from glm4v_tui.inference.language.continuation import Continuation
from glm4v_tui.inference.language.expectation import MOST, Expectation, Pace
from glm4v_tui.inference.language.features import Features
from glm4v_tui.inference.language.kernel_reading import KernelReader
from glm4v_tui.inference.language.kernel_weights import KernelWeights
from glm4v_tui.inference.language.kv_cache import KvCache
from glm4v_tui.inference.language.prefix import common, slots_of
from glm4v_tui.inference.language.reading import Stopped, counted, parts_of, read
from glm4v_tui.inference.language.stack import weight_bytes
from glm4v_tui.inference.language.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from glm4v_tui.inference.language.choice import Settings
    from glm4v_tui.inference.language.expectation import Forced
    from glm4v_tui.inference.language.kv_cache import CacheRows
    from glm4v_tui.inference.language.prefix import Slot
    from glm4v_tui.inference.language.reading import OnRead
    from glm4v_tui.inference.language.sight import Sight, Span
    from glm4v_tui.inference.language.stack import Stack
    from glm4v_tui.inference.language.step import PlainStep
    from glm4v_tui.inference.prompt import Prompt

    Mask = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


_READ_IN_PASSES = 48
"""Tokens of text; more of them are read faster all at once."""


@dataclass(frozen=True)
class Begun:
    """A prompt that has been read."""

    logits: torch.Tensor
    """Of the first token, (vocabulary,)."""
    tokens: int
    """In the cache."""
    position: int
    """Of the token that comes next."""
    read: int
    """Tokens that were not in the cache before."""


class Writer:
    """One conversation's cache, kept from question to question."""

    def __init__(self, stack: Stack, sight: Sight) -> None:
        self._stack, self._sight = stack, sight
        self.cache = KvCache(stack)
        self.features = Features()
        self._held: list[Slot] = []
        self._weights = KernelWeights(stack) if _has_kernels(stack) else None
        self._reader = KernelReader(self._weights) if self._weights is not None else None
        self._steps = Steps(stack, self._weights)
        self._pace = Pace()

    @property
    def kept_bytes(self) -> int:
        """What :meth:`release` gives back."""
        return self.cache.nbytes + self.features.nbytes

    @property
    def read_per_token(self) -> int:
        """Bytes of the weights that each step reads: layers and head."""
        return weight_bytes(self._stack)

    def release(self) -> None:
        """Give back what only makes later questions faster."""
        self._steps.forget()
        self.cache.release()
        self.features.release()
        self._held = []

    def forget(self) -> None:
        """Know of no prompt and no image any more; the room for them stays."""
        self.features.release()
        self._held = []

    def step_alone(self, begun: Begun) -> Callable[[], object]:
        """The step after a prompt without anything around it, to be measured."""
        counts = itertools.count()
        token = begun.logits.argmax(-1, keepdim=True)

        def step() -> object:
            count = next(counts)
            length, position = begun.tokens + count, begun.position + count
            with torch.inference_mode():
                return self._steps.one(self.cache, token, length, position)

        return step

    def pass_alone(self, begun: Begun, tokens: int) -> Callable[[], object]:
        """A pass of several tokens after a prompt, to be measured."""

        def act() -> object:
            with torch.inference_mode():
                return self._steps.few(self.cache, [1] * tokens, begun.tokens, begun.position)

        return act

    @torch.inference_mode()
    def begin(
        self,
        prompt: Prompt,
        room: int,
        should_stop: Callable[[], bool],
        written: Sequence[int] = (),
        on_read: OnRead | None = None,
    ) -> Begun:
        """Read what the cache does not hold yet.

        Args:
            room: Tokens that may come after it.
            written: Tokens of the answer that are there already, to be gone on from.
            on_read: Told how far it is.

        Raises:
            Stopped: it was to stop.
            torch.OutOfMemoryError: what was held is held on, unless the cache had to grow.
        """
        ids = _ids_of(prompt, written)
        spans = self._sight.spans(prompt)
        slots = slots_of(ids.tolist(), spans)
        # The last token is read anew where all are held: its logits are what is wanted.
        start = min(common(self._held, slots, spans), len(slots) - 1)
        positions = _with_text(self._sight.positions(prompt), len(written))
        self._held = self._held[:start]
        # Before room is made for keys and values: the tower needs the most while it works. Held
        # here until they are read, whatever the features' budget is.
        seen = [(span, self._features_of(prompt, span)) for span in spans if span.start >= start]
        self._make_room(len(slots) + room)
        if on_read is not None:
            passes = len(self._stack.layers) * parts_of(len(slots) - start)
            should_stop = counted(should_stop, passes, len(slots) - start, on_read)
        logits = self._read(ids, seen, start, positions, should_stop)
        self._held = slots
        return Begun(logits, len(slots), int(positions.max()) + 1, len(slots) - start)

    def _features_of(self, prompt: Prompt, span: Span, *, keep: bool = True) -> torch.Tensor:
        return self.features.get(span.key, partial(self._encode, prompt, span), keep=keep)

    def _make_room(self, tokens: int) -> None:
        try:
            self.cache.make_room(tokens, kept=len(self._held))
        except BaseException:
            self._held = []
            raise

    def _read(
        self,
        ids: torch.Tensor,
        seen: Sequence[tuple[Span, torch.Tensor]],
        start: int,
        positions: torch.Tensor,
        should_stop: Callable[[], bool],
    ) -> torch.Tensor:
        """The logits after the prompt's tokens from ``start`` on, (vocabulary,)."""
        is_text = not any(span.stop == len(ids) for span, _ in seen)
        if self._weights is not None and start == len(ids) - 1 and is_text:
            last = ids[-1:].to(self._stack.device)
            return self._steps.one(self.cache, last, start, int(positions[0, -1])).clone()
        if not seen and self._goes_in_passes(start, len(ids) - start):
            return self._read_in_passes(ids, start, int(positions[0, start]), should_stop)
        embedded = self._embedded(ids, seen, start)
        return self._logits_after(self.cache, start, embedded, positions[:, start:], should_stop)

    def _goes_in_passes(self, start: int, count: int) -> bool:
        """Whether so much text is read faster by captured passes: a host launches each kernel of a
        reading by itself, which takes longer than a GPU needs for little text."""
        if not self._steps.widths or not self._steps.has_passes or count > _READ_IN_PASSES:
            return False
        widest = self._steps.widths[-1]
        return start + -(-count // widest) * widest <= self.cache.capacity

    def _read_in_passes(
        self, ids: torch.Tensor, start: int, position: int, should_stop: Callable[[], bool]
    ) -> torch.Tensor:
        """The logits after text from ``start`` on, (vocabulary,)."""
        widest = self._steps.widths[-1]
        for first in range(start, len(ids), widest):
            if should_stop():
                raise Stopped
            some = ids[first : first + widest].tolist()
            logits = self._steps.few(self.cache, some, first, position + first - start)
        return logits[-1].clone()

    def _logits_after(
        self,
        cache: KvCache | CacheRows,
        start: int,
        embedded: torch.Tensor,
        positions: torch.Tensor,
        should_stop: Callable[[], bool],
    ) -> torch.Tensor:
        """Read vectors behind the first ``start`` tokens of a cache; (vocabulary,)."""
        last = self._behind(cache, start, embedded, positions, should_stop)
        found: torch.Tensor = self._stack.head(last)[0]
        return found

    def _behind(
        self,
        cache: KvCache | CacheRows,
        start: int,
        embedded: torch.Tensor,
        positions: torch.Tensor,
        should_stop: Callable[[], bool],
        **options: Any,
    ) -> torch.Tensor:
        """As :func:`reading.read`, by kernels where there are some."""
        places = positions.to(self._stack.device)
        if self._reader is not None:
            return self._reader.read(cache, start, embedded, places, should_stop, **options)
        return read(self._stack, cache, start, embedded, places, should_stop, **options)

    @torch.inference_mode()
    def read_into(
        self,
        cache: CacheRows,
        prompt: Prompt,
        written: Sequence[int],
        should_stop: Callable[[], bool],
    ) -> Begun:
        """Read a whole prompt, and what was answered so far, into a row of another cache.

        The images' features are taken from those at hand, and not added to them.

        Raises:
            Stopped: it was to stop.
        """
        ids = _ids_of(prompt, written)
        spans = self._sight.spans(prompt)
        seen = [(span, self._features_of(prompt, span, keep=False)) for span in spans]
        positions = _with_text(self._sight.positions(prompt), len(written))
        embedded = self._embedded(ids, seen, 0)
        seen.clear()
        logits = self._logits_after(cache, 0, embedded, positions, should_stop)
        return Begun(logits, len(ids), int(positions.max()) + 1, len(ids))

    @property
    def stack(self) -> Stack:
        return self._stack

    @property
    def weights(self) -> KernelWeights | None:
        """As the kernels take them; None where they are not used."""
        return self._weights

    @property
    def steps(self) -> Steps:
        return self._steps

    @property
    def plain(self) -> PlainStep | None:
        """The step where kernels are not used."""
        return self._steps.plain

    def tokens(
        self,
        begun: Begun,
        settings: Settings,
        before: Sequence[int],
        limit: int,
        mask: Mask | None,
        written: int = 0,
        *,
        forced: Forced | None = None,
        expects: bool = True,
    ) -> Iterator[int]:
        """The answer's tokens as they are chosen, see :class:`Continuation`.

        Args:
            before: Ids of the prompt, and of what is written.
            written: Tokens of the answer before these; a seed counts from its beginning.
            limit: Of tokens, at least 1.
            mask: Makes impossible what may not come; asked before each choice, when all tokens
                before have been handed over.
            forced: What the mask leaves no choice about, if the model spells as usual.
            expects: Compute several tokens at a time where the answer can be expected to repeat
                what was said before, or is forced.
        """
        stack = self._stack
        continuation = Continuation(
            self._steps,
            self.cache,
            self._held,
            begun.position,
            Chooser(settings, stack.vocabulary, before, stack.device, written),
            Expectation(before, forced, self._pace, MOST if expects else 0),
            self._pace,
            limit,
            mask,
        )
        return continuation.tokens(begun.logits)

    @torch.inference_mode()
    def after_each(
        self, begun: Begun, ways: Sequence[Sequence[int]], should_stop: Callable[[], bool]
    ) -> Iterator[torch.Tensor]:
        """How the model would go on after each token of several ways to go on.

        The cache needs room for :data:`branches.AT_ONCE` tokens more, or for the longest way.

        Args:
            ways: At least one token each.

        Yields:
            For each way (tokens, vocabulary).

        Raises:
            Stopped: it was to stop.
        """
        for some in in_passes(ways):
            ids = torch.tensor(some.ids, device=self._stack.device)
            positions = some.positions(begun.position).expand(self._stack.axes, -1)
            hidden = self._behind(
                self.cache, begun.tokens, self._stack.embedding(ids), positions, should_stop,
                wanted=len(ids), mask=some.mask(begun.tokens).to(self._stack.device),
            )  # fmt: skip
            yield from some.of_each(self._stack.head(hidden))

    def _embedded(
        self, ids: torch.Tensor, seen: Sequence[tuple[Span, torch.Tensor]], start: int
    ) -> torch.Tensor:
        """The vectors of the tokens from ``start`` on, (tokens, hidden)."""
        vectors: torch.Tensor = self._stack.embedding(ids[start:].to(self._stack.device))
        for span, features in seen:
            vectors[span.start - start : span.stop - start] = features
        return vectors

    def _encode(self, prompt: Prompt, span: Span) -> Any:
        return self._sight.encode(prompt, span.number).to(self._stack.device, self._stack.dtype)


def _ids_of(prompt: Prompt, written: Sequence[int]) -> torch.Tensor:
    """Those of a prompt and of what is written after it, (tokens,)."""
    return torch.cat((prompt.inputs["input_ids"][0], torch.tensor(written, dtype=torch.int64)))


def _with_text(positions: torch.Tensor, tokens: int) -> torch.Tensor:
    """Positions of a prompt and of text after it, (axes, tokens)."""
    after = int(positions.max()) + 1 + torch.arange(tokens)
    return torch.cat((positions, after.expand(len(positions), -1)), dim=1)


def _has_kernels(stack: Stack) -> bool:
    return stack.dtype in (torch.bfloat16, torch.float16) and has_triton(stack.device)


__all__ = ["Begun", "Stopped", "Writer"]
