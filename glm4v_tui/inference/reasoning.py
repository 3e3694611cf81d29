"""Free text before a result: how long it may be, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glm4v_tui.result_mark import RESULT_MARK

if TYPE_CHECKING:
    from collections.abc import Callable

_THINK, _THINK_END = "<think>", "</think>"
_WINDOW = 8
"""Tokens in which the end of the reasoning is looked for; a mark of few letters fits easily."""


class Reasoning:
    """How much is left of it, and what must be written next.

    A model that thinks closes it with ``</think>``; any other is asked to begin its result with
    the mark of :data:`RESULT_MARK`. Beyond its allowance it is closed for the model.

    Args:
        tokenizer: Makes tokens of the mark, and text of tokens.
        allowance: Tokens after which the mark is written for the model.
        opens_thinking: The prompt ends inside of a ``<think>``.
    """

    def __init__(self, tokenizer: Any, allowance: int, *, opens_thinking: bool) -> None:
        self._decode: Callable[[list[int]], str] = tokenizer.decode
        self._encode: Callable[[str], list[int]] = lambda text: list(
            tokenizer.encode(text, add_special_tokens=False)
        )
        self._mark = _THINK_END if opens_thinking else RESULT_MARK
        self._left = allowance
        self._window: list[int] = []
        self._forced: list[int] = [] if allowance else self._encode(self._mark)
        self.is_over = False
        self.begun: list[int] = []
        """Tokens of the result that came in one with the end of the mark."""

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
        _, mark, after = text.rpartition(self._mark)
        if mark:
            self.is_over = True
            self.begun = self._encode(after.strip()) if after.strip() else []
        elif self._left <= 0:
            self._forced = self._encode(self._mark)

    def close_again(self) -> None:
        """Write the mark once more: what has come with it is not the beginning of a result."""
        self.is_over, self.begun = False, []
        self._forced = self._encode(self._mark)
