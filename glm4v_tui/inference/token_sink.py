"""Takes tokens from ``generate`` and hands on text."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from transformers.generation.streamers import BaseStreamer

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from glm4v_tui.inference.text_stream import TextStream

    OnText = Callable[[str, int], None]


class TokenSink(BaseStreamer):  # type: ignore[misc]
    """Hands on the first token's text at once, later ones a few at a time when they come fast.

    Args:
        text: Makes text of tokens.
        on_text: Told (text, tokens behind it).
        opening: Text that the prompt has opened the answer with.
        every_s: Tokens that come closer together than this travel together.
    """

    def __init__(self, text: TextStream, on_text: OnText, opening: str, every_s: float) -> None:
        self.tokens: list[int] = []
        """Every id that was chosen, the stop id included."""
        self._text = text
        self._on_text = on_text
        self._pending = opening
        self._every_s = every_s
        self._pending_tokens = 0
        self._told_at = 0.0
        self._has_seen_prompt = False
        self._on_first_token: Callable[[], None] = _nothing
        self.on_token: Callable[[int], None] = lambda _: None
        """Told every id the moment it is chosen."""
        self.first_token_at: float | None = None
        self.last_token_at: float | None = None

    def begin(self, on_first_token: Callable[[], None]) -> None:
        """Before each run of ``generate``: a run that failed is followed by one that goes on."""
        self._has_seen_prompt = False
        self._on_first_token = on_first_token

    def put(self, value: torch.Tensor) -> None:
        if not self._has_seen_prompt:  # generate hands over the prompt's ids first
            self._has_seen_prompt = True
            return
        for token in value.flatten().tolist():
            self.take(token)

    def end(self) -> None:
        """Told when generate is done; :meth:`finish` also serves when it was left early."""

    def finish(self) -> None:
        self._pending += self._text.rest()
        if self._pending or self._pending_tokens:
            self._tell(time.monotonic())

    def take(self, token: int) -> None:
        """Take the next token."""
        now = time.monotonic()
        if self.first_token_at is None:
            self.first_token_at = now
        self._on_first_token()
        self._on_first_token = _nothing
        self.last_token_at = now
        self.on_token(token)
        self.tokens.append(token)
        self._pending += self._text.feed(token)
        self._pending_tokens += 1
        if self._pending and now - self._told_at >= self._every_s:
            self._tell(now)

    def _tell(self, now: float) -> None:
        self._on_text(self._pending, self._pending_tokens)
        self._pending, self._pending_tokens, self._told_at = "", 0, now


def _nothing() -> None:
    pass
