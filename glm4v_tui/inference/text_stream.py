"""Token ids to text, a token at a time, without ever showing half a character."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_REPLACEMENT = "\ufffd"
_MAX_HELD = 3
"""Bytes that a UTF-8 character can be short of; byte-fallback decoders show each as one mark."""
_CONTEXT = 4
"""Tokens kept before the window: some decoders drop a leading space when there is nothing."""
_WINDOW = 32


class TextStream:
    """Decodes tokens as they come; the pieces join to what decoding all at once gives.

    Args:
        decode: Token ids to text; bytes that are no character yet come out as U+FFFD.
        hidden: Ids that leave no text (special tokens).
    """

    def __init__(self, decode: Callable[[list[int]], str], hidden: frozenset[int]) -> None:
        self._decode = decode
        self._hidden = hidden
        self._window: list[int] = []
        self._told = 0
        """Characters of the window's text that were handed out."""

    def feed(self, token: int) -> str:
        """Take one token; return the text that is certain now (often none, or several tokens')."""
        if token in self._hidden:
            return ""
        self._window.append(token)
        text = self._decode(self._window)
        certain = len(text) - min(_MAX_HELD, len(text) - len(text.rstrip(_REPLACEMENT)))
        new = text[self._told : certain]
        self._told = max(self._told, certain)
        if certain == len(text) and len(self._window) > _WINDOW:
            self._shorten()
        return new

    def rest(self) -> str:
        """What was held back, when no more tokens come."""
        text = self._decode(self._window)[self._told :] if self._window else ""
        self._told += len(text)
        return text

    def _shorten(self) -> None:
        """Forget what is told, so that the cost of a token does not grow with the answer."""
        context = self._window[-_CONTEXT:]
        text = self._decode(context)
        if not text.endswith(_REPLACEMENT):
            self._window = context
            self._told = len(text)
