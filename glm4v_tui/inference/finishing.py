"""How an answer ended, as the interface is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from glm4v_tui.engine.protocol import Finished, Timing, Usage

if TYPE_CHECKING:
    from glm4v_tui.inference.draft import Answered
    from glm4v_tui.inference.prompt import Prompt


def finished(name: str, prompt: Prompt, answered: Answered, started: float) -> Finished:
    """The event.

    Args:
        name: Of the request.
        started: By ``time.monotonic``.
    """
    first, last = answered.first_token_at, answered.last_token_at
    decode_s = last - first if first is not None and last is not None else 0.0
    count = len(answered.tokens)
    return Finished(
        name,
        answered.reason,
        Usage(prompt.tokens, prompt.image_tokens, count),
        Timing(
            first_token_s=None if first is None else first - started,
            decode_tokens_per_s=(count - 1) / decode_s if count > 1 and decode_s > 0 else None,
            total_s=time.monotonic() - started,
        ),
    )
