"""Binds an answer to a JSON Schema while it is decoded: every whole answer parses.

llguidance knows, after each token, which tokens may follow; everything else is masked before the
next one is chosen. The mask of a step needs only the token before it. With a large vocabulary it
is computed in a thread from the moment that token is known, while the device works on the step
itself; with a small one it takes less time than handing it to a thread.

Before the result there may be reasoning (see ``reasoning``).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from transformers import LogitsProcessor

from glm4v_tui.errors import EngineError
from glm4v_tui.inference.reasoning import Reasoning
from glm4v_tui.plain import UNSAFE_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.engine.protocol import ResultForm

    Run = Callable[[Callable[[], Any]], Callable[[], Any]]
    """Takes work; gives what to call for its result, which may raise what the work raised."""

LARGE = 16_384
"""Tokens of a vocabulary from which on work goes to a thread: setting it up takes a second with
150,000, a mask 0.2 ms; with 1,500 a mask takes 5 us."""
_STYLE: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""One line, as ``json.dumps`` writes it: there is no room for endless blanks."""
_LETTER = rf'[^"\\\x09\x0a{UNSAFE_CHARACTERS}]'
_SLICES = [f"{_LETTER}{{1,10}}", f"{_LETTER}{{1,30}}", f"{_LETTER}+"]
"""Tokens that llguidance looks at together, since all or none of them fit into a text."""


class FormBinder:
    """Makes masks for one model.

    Args:
        tokenizer: The checkpoint's; only those with a Rust part can be bound.
        vocabulary: Width of the model's output, padding included.
        stop_ids: Tokens that may end an answer, once the result is whole.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, stop_ids: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._stop_ids = stop_ids
        self._run = _in_thread() if vocabulary >= LARGE else _at_once
        self._own: Callable[[], LLTokenizer] = self._run(
            lambda: from_tokenizer(
                tokenizer, n_vocab=vocabulary, eos_token=sorted(stop_ids), slices=_SLICES
            )
        )
        self._grammar = lru_cache(maxsize=16)(self._compiled)

    def bind(self, form: ResultForm, *, opens_thinking: bool) -> ResultMask:
        """The mask of one answer.

        Args:
            opens_thinking: The prompt ends inside of a ``<think>``.

        Raises:
            EngineError: the schema, or the tokenizer, cannot be used.
        """
        matcher = self._grammar(form.schema).deep_copy()
        reasoning = None
        if opens_thinking or form.reasoning_tokens:
            allowance = form.reasoning_tokens
            reasoning = Reasoning(self._tokenizer, allowance, opens_thinking=opens_thinking)
        return ResultMask(matcher, reasoning, self._stop_ids, self._run)

    def _compiled(self, schema: str) -> LLMatcher:
        """A matcher at its beginning; kept, since making one takes longer than a step."""
        try:
            tokenizer = self._own()
            grammar = LLMatcher.grammar_from_json_schema(schema, overrides=_STYLE)
        except BaseException as error:
            # A tokenizer that llguidance is not made for ends in a panic, which is no Exception.
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            raise _unusable(str(error)) from error
        matcher = LLMatcher(tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise _unusable(matcher.get_error())
        return matcher


class _Next(NamedTuple):
    """What the form says of the next token."""

    forbidden: torch.Tensor
    """Which may not come, a bool each."""
    forced: list[int]
    """What comes, where there is one way to go on, in the tokenizer's usual spelling."""


class ResultMask(LogitsProcessor):  # type: ignore[misc]
    """Leaves those tokens their chance that the form allows. One answer, batch of one.

    :meth:`take` is to be called with every token as it is chosen, before the next step.
    """

    def __init__(
        self,
        matcher: LLMatcher,
        reasoning: Reasoning | None,
        stop_ids: frozenset[int],
        run: Run,
    ) -> None:
        self._matcher = matcher
        self._reasoning = reasoning
        self._stop_ids = sorted(stop_ids)
        self._run = run
        self._next: Callable[[], _Next] | None = None
        if reasoning is None:
            self._begin_step()

    def forced(self) -> list[int]:
        """The tokens that come next if the model spells as usual what the form leaves no choice
        about; mostly none. A model may still choose others for the same letters.
        """
        return [] if self._next is None or self._reasoning is not None else self._next().forced

    def take(self, token: int) -> None:
        if self._reasoning is not None:
            self._reason(self._reasoning, token)
        elif token not in self._stop_ids:
            self._begin_step(token)

    def _reason(self, reasoning: Reasoning, token: int) -> None:
        reasoning.take(token)
        if not reasoning.is_over:
            return
        begun = reasoning.begun
        if self._matcher.validate_tokens(begun) < len(begun):
            reasoning.close_again()
            return
        self._reasoning = None
        self._begin_step(*begun)

    def _begin_step(self, *tokens: int) -> None:
        self._next = self._run(lambda: self._step(tokens))

    def _step(self, tokens: tuple[int, ...]) -> _Next:
        for token in tokens:
            self._matcher.consume_token(token)
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        forced = self._matcher.compute_ff_tokens()
        if self._matcher.is_error():
            raise _unusable(self._matcher.get_error())
        forbidden = torch.from_numpy(np.unpackbits(~bits, bitorder="little").view(np.bool_))
        return _Next(forbidden, forced)

    def forbidden(self, device: torch.device) -> torch.Tensor | None:
        """bool, (vocabulary,) or a few more: what may not come; None while there is reasoning."""
        if self._reasoning is not None:
            return None
        assert self._next is not None
        forbidden = self._next().forbidden
        if device.type == "cuda":  # from pinned memory: else the copy would wait for the device
            forbidden = forbidden.pin_memory()
        return forbidden.to(device, non_blocking=True)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        if (forbidden := self.forbidden(scores.device)) is not None:
            return scores.masked_fill_(forbidden[: scores.shape[-1]], -torch.inf)
        assert self._reasoning is not None
        if (forced := self._reasoning.forced) is not None:
            masked = torch.full_like(scores, -torch.inf)
            masked[:, forced] = 0
            return masked
        scores[:, self._stop_ids] = -torch.inf  # no end before the result
        return scores


def _in_thread() -> Run:
    """Begins work at once, in a thread of its own."""
    thread = ThreadPoolExecutor(1, "result-mask")
    return lambda work: thread.submit(work).result


def _at_once(work: Callable[[], Any]) -> Callable[[], Any]:
    try:
        done = work()
    except BaseException as error:  # noqa: BLE001 - told by whoever asks, as from a thread
        failure = error

        def fail() -> Any:
            raise failure

        return fail
    return lambda: done


def _unusable(reason: str) -> EngineError:
    return EngineError(
        "The answer cannot be bound to the task's form",
        " ".join(reason.split())[:400],
        "The task's result type is at fault; tell its author.",
    )
