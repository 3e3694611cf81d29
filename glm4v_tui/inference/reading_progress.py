"""Tells how far a question is read, where that takes a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from glm4v_tui.engine.protocol import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.engine.protocol import Event
    from glm4v_tui.inference.language.reading import OnRead

_FIRST_S, _EVERY_S = 0.5, 0.25
"""Most questions are read before anything is told."""


def told_now_and_then(
    request_id: str,
    emit: Callable[[Event], None],
    now: Callable[[], float] = time.monotonic,
) -> OnRead:
    """What to call with each little bit; few of the calls are told."""
    due = now() + _FIRST_S

    def on_read(done: int, total: int) -> None:
        nonlocal due
        if now() >= due:
            due = now() + _EVERY_S
            emit(Progress(request_id, "prompt", done, total))

    return on_read
