"""How probable each of several answers is after a prompt.

The prompt, image and all, is read once. Its keys and values are then repeated for a batch of the
answers, so that N answers cost one short pass more, not N readings of the image. The probability
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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glm4v_tui.inference.decoding import Decoder
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
    first = decoder.read(prompt, room, should_stop)
    if first is None:
        return None
    opened = _Opening(decoder, prompt, should_stop)
    first = opened.lead_in(first)
    if first is None:
        return None
    spelled = _spelled(decoder.tokenizer, opened.ids, answers, first)
    try:
        is_short = all(len(ids) == 1 for ids in spelled)  # nothing is read behind the prompt
        if is_short or repeat_cache(decoder.run.cache, len(answers)):
            return _together(decoder, spelled, first, should_stop)
    except torch.OutOfMemoryError:
        pass  # so many keys and values do not fit; those of one row do
    decoder.run.cache = None
    return _apart(decoder, prompt, opened.added, spelled, should_stop)


class _Opening:
    """What stands between the prompt and the answers."""

    def __init__(self, decoder: Decoder, prompt: Prompt, should_stop: ShouldStop) -> None:
        self._decoder = decoder
        self._should_stop = should_stop
        self._opens_thinking = prompt.opens_thinking
        self._before: list[int] = prompt.inputs["input_ids"][0].tolist()
        self.added: list[int] = []
        """Tokens after the prompt."""

    @property
    def ids(self) -> list[int]:
        """All tokens before the answers."""
        return [*self._before, *self.added]

    def lead_in(self, first: torch.Tensor) -> torch.Tensor | None:
        """Read what comes before the answers.

        Args:
            first: Logits of the token after the prompt, of shape (vocabulary,).

        Returns:
            Those of the answers' first tokens; None when stopped.
        """
        opening = _token(self._decoder.tokenizer, _OPEN)
        is_thinking = self._opens_thinking or (opening is not None and _best(first) == opening)
        if not is_thinking:
            return first
        begun = [] if self._opens_thinking or opening is None else [opening]
        closed = _ids(self._decoder.tokenizer, _CLOSE)
        after = self._read([*begun, *closed])
        for _ in range(_MOST_FRAMES):
            if after is None or not self._is_frame(_best(after)):
                break
            after = self._read([_best(after)])
        return after

    def _is_frame(self, token: int) -> bool:
        text = self._decoder.tokenizer.decode([token])
        return not text.strip() or text.strip() in _FRAMES

    def _read(self, ids: list[int]) -> torch.Tensor | None:
        self.added += ids
        row = torch.tensor([ids], device=self._decoder.device)
        logits = self._decoder.go_on(row, self._should_stop)
        return None if logits is None else logits[0, -1]


def _together(
    decoder: Decoder, spelled: list[list[int]], first: torch.Tensor, should_stop: ShouldStop
) -> list[Likelihood] | None:
    """All answers in one pass after the prompt's keys and values."""
    rows = first.expand(len(spelled), 1, -1)
    longest = max(map(len, spelled))
    if longest > 1:
        padded = [ids[:-1] + [ids[-1]] * (longest - len(ids)) for ids in spelled]
        more = decoder.go_on(torch.tensor(padded, device=decoder.device), should_stop)
        if more is None:
            return None
        rows = torch.cat((rows.to(more.device), more), dim=1)
    return [_likelihood(row, ids) for row, ids in zip(rows, spelled, strict=True)]


def _apart(
    decoder: Decoder,
    prompt: Prompt,
    added: list[int],
    spelled: list[list[int]],
    should_stop: ShouldStop,
) -> list[Likelihood] | None:
    """Each answer in a pass of its own over all of the prompt: for caches that do not repeat."""
    found = []
    for ids in spelled:
        logits = decoder.read_whole(prompt, [*added, *ids], should_stop)
        if logits is None:
            return None
        found.append(_likelihood(logits[len(added) :], ids))
    return found


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
