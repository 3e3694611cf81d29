"""Why a worker ended that nobody had ended, as far as it can be told from outside."""

from __future__ import annotations

from typing import NamedTuple

from glm4v_tui.diagnosis import diagnose
from glm4v_tui.gpu import limit_words

AGAIN = "The conversation is kept. Ask again: the model is then loaded anew."
_MEMORY = "out-of-memory"


class Ending(NamedTuple):
    """In words for the user."""

    title: str
    body: str
    remedy: str


def ending_of(detail: str, last_words: str) -> Ending:
    """What is known of an end.

    Args:
        detail: How the process ended, ``it ended with exit code 1``.
        last_words: What it wrote to its log.
    """
    title = "The model's process ended"
    body = f"{detail[0].upper()}{detail[1:]}."
    if "SIGKILL" in detail:
        return Ending(
            title, f"{body} When memory runs out, the system ends processes this way.", AGAIN
        )
    found = diagnose(last_words)
    known = found[-1] if found else None
    limit = limit_words()
    if limit is not None and (known is None or known.name == _MEMORY):
        reason, remedy = limit
        if known is None:
            return Ending(title, f"{body} {reason} That may be why.", f"{AGAIN} {remedy}")
        return Ending("The model's process had no memory left", f"{body} {reason}", remedy)
    if known is not None:
        return Ending(title, f"{body} {known.title}: {known.said}", known.remedy)
    return Ending(title, body, AGAIN)
