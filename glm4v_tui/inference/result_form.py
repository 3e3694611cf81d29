"""Binds an answer to a JSON Schema while it is decoded: every whole answer parses.

llguidance knows, after each token, which tokens may follow; everything else is masked before the
next one is chosen. The mask of a step needs only the token before it, so it is computed in a
thread from the moment that token is known, while the device works on the step itself.

Before the result there may be reasoning. A model that thinks closes it with ``</think>``; any
other is asked to begin its result with the mark of :data:`RESULT_MARK`. Reasoning that would go
on beyond its allowance is closed for the model.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from transformers import LogitsProcessor

from glm4v_tui.errors import EngineError
from glm4v_tui.result_mark import RESULT_MARK

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.engine.protocol import ResultForm

_THINK, _THINK_END = "<think>", "</think>"
_STYLE: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""One line, as ``json.dumps`` writes it: there is no room for endless blanks."""
_WINDOW = 8
"""Tokens in which the end of the reasoning is looked for; a mark of few letters fits easily."""


class FormBinder:
    """Makes masks for one model.

    Args:
        tokenizer: The checkpoint's; only those with a Rust part can be bound.
        vocabulary: Width of the model's output, padding included.
        stop_ids: Tokens that may end an answer, once the result is whole.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, stop_ids: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._stop_ids = stop_ids
        self._thread = ThreadPoolExecutor(1, "result-mask")
        self._grammar = lru_cache(maxsize=16)(self._compiled)
        self._own: LLTokenizer | None = None

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
            mark = _THINK_END if opens_thinking else RESULT_MARK
            reasoning = _Reasoning(self._tokenizer, mark, form.reasoning_tokens)
        return ResultMask(matcher, reasoning, self._stop_ids, self._thread)

    def _compiled(self, schema: str) -> LLMatcher:
        """A matcher at its beginning; kept, since making one takes longer than a step."""
        try:
            self._own = self._own or from_tokenizer(
                self._tokenizer, n_vocab=self._vocabulary, eos_token=sorted(self._stop_ids)
            )
            grammar = LLMatcher.grammar_from_json_schema(schema, overrides=_STYLE)
        except ValueError as error:
            raise _unusable(str(error)) from error
        matcher = LLMatcher(self._own, grammar, log_level=0)
        if matcher.is_error():
            raise _unusable(matcher.get_error())
        return matcher


class _Reasoning:
    """Free text before the result: how much is left of it, and how it ends.

    Args:
        mark: Text that ends it.
        allowance: Tokens after which the mark is written for the model.
    """

    def __init__(self, tokenizer: Any, mark: str, allowance: int) -> None:
        self._decode: Callable[[list[int]], str] = tokenizer.decode
        self._encode: Callable[[str], list[int]] = lambda text: list(
            tokenizer.encode(text, add_special_tokens=False)
        )
        self._mark = mark
        self._left = allowance
        self._window: list[int] = []
        self._forced: list[int] = [] if allowance else self._encode(mark)
        self.is_over = False

    @property
    def forced(self) -> int | None:
        """The only token that may come next; None when any may."""
        return self._forced[0] if self._forced else None

    def take(self, token: int) -> None:
        if self._forced:
            self._forced.pop(0)
            self.is_over = not self._forced
            return
        self._window = [*self._window[1 - _WINDOW :], token]
        text = self._decode(self._window)
        if text.strip() == _THINK:  # it thinks of its own accord, and ends as it has begun
            self._mark = _THINK_END
        self._left -= 1
        if self._mark in text:
            self.is_over = True
        elif self._left <= 0:
            self._forced = self._encode(self._mark)


class ResultMask(LogitsProcessor):  # type: ignore[misc]
    """Leaves those tokens their chance that the form allows. One answer, batch of one.

    :meth:`take` is to be called with every token as it is chosen, before the next step.
    """

    def __init__(
        self,
        matcher: LLMatcher,
        reasoning: _Reasoning | None,
        stop_ids: frozenset[int],
        thread: ThreadPoolExecutor,
    ) -> None:
        self._matcher = matcher
        self._reasoning = reasoning
        self._stop_ids = sorted(stop_ids)
        self._thread = thread
        self._bits: Future[bytes] | None = None
        self._shifts: torch.Tensor | None = None
        if reasoning is None:
            self._begin_step()

    def take(self, token: int) -> None:
        if self._reasoning is not None:
            self._reasoning.take(token)
            if self._reasoning.is_over:
                self._reasoning = None
                self._begin_step()
            return
        if token in self._stop_ids:
            return
        self._begin_step(token)

    def _begin_step(self, token: int | None = None) -> None:
        self._bits = self._thread.submit(self._step, token)

    def _step(self, token: int | None) -> bytes:
        """Which tokens may come after this one, one bit each. Runs in the thread, without GIL."""
        if token is not None:
            self._matcher.consume_token(token)
        return self._matcher.compute_bitmask()

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        if self._reasoning is None:
            return scores.masked_fill(~self._allowed(scores), -torch.inf)
        if (forced := self._reasoning.forced) is not None:
            masked = torch.full_like(scores, -torch.inf)
            masked[:, forced] = 0
            return masked
        scores[:, self._stop_ids] = -torch.inf  # no end before the result
        return scores

    def _allowed(self, scores: torch.Tensor) -> torch.Tensor:
        assert self._bits is not None
        bits = self._bits.result()
        if self._matcher.is_error():
            raise _unusable(self._matcher.get_error())
        packed = torch.frombuffer(bytearray(bits), dtype=torch.uint8).to(scores.device)
        if self._shifts is None:
            self._shifts = torch.arange(8, dtype=torch.uint8, device=scores.device)
        allowed = ((packed[:, None] >> self._shifts) & 1).bool().flatten()
        return allowed[: scores.shape[-1]]


def _unusable(reason: str) -> EngineError:
    return EngineError(
        "The answer cannot be bound to the task's form",
        " ".join(reason.split())[:400],
        "The task's result type is at fault; tell its author.",
    )
