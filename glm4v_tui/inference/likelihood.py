"""How probable each of several answers is after a prompt.

The prompt, image and all, is read once. The answers are then read behind its keys and values in
one short pass, each seeing the prompt and itself (on transformers' loop: as rows of a batch that
repeats the keys and values), so that N answers do not cost N readings of the image. The probability
of an answer is that of its tokens, one after the other; the end of the answer is not included.

Two things are settled by the model's own next-token distribution, so that answers are looked for
where the model would write them:

* a reasoning model, which would think first, is given a closed, empty thought
  (``<think></think>``), and the answers come after it: what it would say at once. What it would say
  after thinking cannot be had without letting it think;
* some models begin an answer with a space and some do not: all answers are spelled in the way
  whose first tokens are more probable.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from glm4v_tui.inference.language.branches import AT_ONCE
from glm4v_tui.inference.language.writer import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glm4v_tui.inference.decoding import Decoder
    from glm4v_tui.inference.language.writer import Begun
    from glm4v_tui.inference.prompt import Prompt

    ShouldStop = Callable[[], bool]

_OPEN, _CLOSE = "<think>", "</think>"
_FRAMES = ("<answer>", "<|begin_of_box|>")
"""What GLM models write between a thought and the answer."""
_MOST_FRAMES = 4
_ROOM = 64
"""Tokens that must fit behind the prompt, at least."""
_TAIL = 4
"""Last tokens of what stands before an answer that may decide how its letters are grouped."""


@dataclass(frozen=True)
class Likelihood:
    """Of one answer."""

    total: float
    """Natural logarithm of the probability of all of its tokens."""
    tokens: int


def likelihoods_of(
    decoder: Decoder, prompt: Prompt, answers: Sequence[str], should_stop: ShouldStop
) -> list[Likelihood] | None:
    """How probable the answers are, in their order; None when it was stopped.

    The keys and values stay in ``decoder.run`` for the caller to count and to let go of.

    Args:
        answers: At least one, none of them empty.

    Raises:
        UsageError: prompt and answers do not fit the model's context.
        ValueError: an answer has no tokens.
    """
    if not answers or not all(answers):
        raise ValueError("there must be answers, and none may be empty")
    room = max(_ROOM, *(len(decoder.tokenizer(answer)["input_ids"]) + 8 for answer in answers))
    decoder.require_room(prompt, room)
    kind = _OwnReading if decoder.runs_own_loop else _TransformersReading
    reading = kind(decoder, prompt, room, should_stop)
    first = _after_opening(reading, decoder.tokenizer, prompt)
    if first is None:
        return None
    before = [*prompt.inputs["input_ids"][0].tolist(), *reading.added]
    return reading.of_each(_spelled(decoder.tokenizer, before, answers, first), first)


# Reading ----------------------------------------------------------------------------------------


class _Reading(ABC):
    """A prompt, what stands between it and the answers, and the answers."""

    def __init__(
        self, decoder: Decoder, prompt: Prompt, room: int, should_stop: ShouldStop
    ) -> None:
        self._decoder, self._prompt = decoder, prompt
        self._room, self._should_stop = room, should_stop
        self.added: list[int] = []
        """Tokens after the prompt."""

    @abstractmethod
    def begin(self) -> torch.Tensor | None:
        """Read the prompt: logits of the next token, (vocabulary,); None when stopped."""

    @abstractmethod
    def add(self, ids: list[int]) -> torch.Tensor | None:
        """Read more: logits as from :meth:`begin`."""

    @abstractmethod
    def of_each(self, spelled: list[list[int]], first: torch.Tensor) -> list[Likelihood] | None:
        """How probable each answer is here.

        Args:
            spelled: The answers' tokens.
            first: Logits of the next token.
        """


class _OwnReading(_Reading):
    """On this program's own loop: what a question before has read is not read again."""

    _begun: Begun

    def begin(self) -> torch.Tensor | None:
        return self.add([])

    def add(self, ids: list[int]) -> torch.Tensor | None:
        self.added += ids
        room = self._room + AT_ONCE
        begun = self._decoder.begin(self._prompt, room, self._should_stop, self.added)
        if begun is None:
            return None
        self._begun = begun
        return begun.logits.float()

    def of_each(self, spelled: list[list[int]], first: torch.Tensor) -> list[Likelihood] | None:
        assert self._decoder.own is not None
        ways = [ids[:-1] for ids in spelled if len(ids) > 1]
        after = self._decoder.own.after_each(self._begun, ways, self._should_stop)
        try:
            return [
                _likelihood(torch.cat((first[None], next(after).float())), ids)
                if len(ids) > 1
                else _likelihood(first[None], ids)
                for ids in spelled
            ]
        except Stopped:
            return None


class _TransformersReading(_Reading):
    """On transformers' loop, all answers as rows of a batch."""

    def begin(self) -> torch.Tensor | None:
        return self._decoder.read(self._prompt, self._should_stop)

    def add(self, ids: list[int]) -> torch.Tensor | None:
        self.added += ids
        logits = self._go_on([ids])
        return None if logits is None else logits[0, -1]

    def of_each(self, spelled: list[list[int]], first: torch.Tensor) -> list[Likelihood] | None:
        try:
            is_short = all(len(ids) == 1 for ids in spelled)  # nothing is read behind the prompt
            if is_short or repeat_cache(self._decoder.run.cache, len(spelled)):
                return self._together(spelled, first)
        except torch.OutOfMemoryError:
            pass  # so many keys and values do not fit; those of one row do
        self._decoder.run.cache = None
        return self._apart(spelled)

    def _together(self, spelled: list[list[int]], first: torch.Tensor) -> list[Likelihood] | None:
        """All answers in one pass after the prompt's keys and values."""
        rows = first.expand(len(spelled), 1, -1)
        longest = max(map(len, spelled))
        if longest > 1:
            padded = [ids[:-1] + [ids[-1]] * (longest - len(ids)) for ids in spelled]
            device = self._decoder.device
            more = self._decoder.loop.go_on(
                self._decoder.run, torch.tensor(padded, device=device), self._should_stop
            )
            if more is None:
                return None
            rows = torch.cat((rows.to(more.device), more), dim=1)
        return [_likelihood(row, ids) for row, ids in zip(rows, spelled, strict=True)]

    def _go_on(self, rows: list[list[int]]) -> torch.Tensor | None:
        decoder = self._decoder
        ids = torch.tensor(rows, device=decoder.device)
        return decoder.loop.go_on(decoder.run, ids, self._should_stop)

    def _apart(self, spelled: list[list[int]]) -> list[Likelihood] | None:
        """Each answer in a pass of its own over all of the prompt: for caches that do not
        repeat."""
        found = []
        for ids in spelled:
            all_ids = [*self.added, *ids]
            logits = self._decoder.loop.read_whole(self._prompt, all_ids, self._should_stop)
            if logits is None:
                return None
            found.append(_likelihood(logits[len(self.added) :], ids))
        return found


def _after_opening(reading: _Reading, tokenizer: Any, prompt: Prompt) -> torch.Tensor | None:
    """Read the prompt and what comes before the answers.

    Returns:
        Logits of the answers' first tokens; None when stopped.
    """
    first = reading.begin()
    if first is None:
        return None
    opening = _token(tokenizer, _OPEN)
    if not prompt.opens_thinking and (opening is None or _best(first) != opening):
        return first
    begun = [] if prompt.opens_thinking or opening is None else [opening]
    after = reading.add([*begun, *_ids(tokenizer, _CLOSE)])
    for _ in range(_MOST_FRAMES):
        if after is None or not _is_frame(tokenizer, _best(after)):
            break
        after = reading.add([_best(after)])
    return after


def _is_frame(tokenizer: Any, token: int) -> bool:
    text = tokenizer.decode([token])
    return not text.strip() or text.strip() in _FRAMES


def _likelihood(logits: torch.Tensor, ids: list[int]) -> Likelihood:
    """Of an answer, from the logits of its tokens, of shape (at least tokens, vocabulary)."""
    chances = torch.log_softmax(logits[: len(ids)].double(), dim=-1)
    chosen = torch.tensor(ids, device=chances.device)
    return Likelihood(float(chances.gather(1, chosen[:, None]).sum()), len(ids))


def repeat_cache(cache: Any, count: int) -> bool:
    """Repeat keys and values for a batch; False where this kind of cache cannot be repeated.

    A cache that was repeated in part only is of no use afterwards.
    """
    try:
        cache.batch_repeat_interleave(count)
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return False
    layers: Sequence[Any] = getattr(cache, "layers", ())
    return bool(layers) and all(_has_rows(layer, count) for layer in layers)


def _has_rows(layer: Any, count: int) -> bool:
    """Whether all that a layer remembers is there for each row of the batch."""
    held = [value for value in vars(layer).values() if isinstance(value, torch.Tensor)]
    return all(value.shape[0] == count for value in held if value.dim() > 2)


# Spelling ---------------------------------------------------------------------------------------


def _spelled(
    tokenizer: Any, before: list[int], answers: Sequence[str], first: torch.Tensor
) -> list[list[int]]:
    """The answers' tokens, with or without a space before them, whichever begins better."""
    chances = torch.log_softmax(first.double(), dim=-1)
    spellings = [
        [tokens_after(tokenizer, before, f"{space}{answer}") for answer in answers]
        for space in ("", " ")
    ]

    def begins(spelling: list[list[int]]) -> float:
        return float(chances[sorted({ids[0] for ids in spelling})].logsumexp(0))

    return max(spellings, key=begins)


def tokens_after(tokenizer: Any, before: list[int], text: str) -> list[int]:
    """The tokens of a text where it follows others.

    What comes before is fixed: where the tokenizer would group letters across the border, the text
    is taken by itself, as a model can only go on from the tokens that are there.

    Raises:
        ValueError: the text has no tokens.
    """
    tail = tokenizer.decode(before[-_TAIL:], skip_special_tokens=False)
    short, whole = _ids(tokenizer, tail), _ids(tokenizer, tail + text)
    ids = whole[len(short) :] if whole[: len(short)] == short else _ids(tokenizer, text)
    if not ids:
        raise ValueError(f"the answer {text!r} has no tokens")
    return ids


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


def _token(tokenizer: Any, text: str) -> int | None:
    """The one token that a text is; None where it is several."""
    ids = _ids(tokenizer, text)
    return ids[0] if len(ids) == 1 else None


def _best(logits: torch.Tensor) -> int:
    return int(logits.argmax())
