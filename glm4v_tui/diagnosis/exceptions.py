"""An exception of any library, put into words."""

from __future__ import annotations

import re

from glm4v_tui.diagnosis.matching import first_row
from glm4v_tui.errors import EngineError, GlmError

_MAX_REASON = 600
_SEE_LOG = "The model's log has the details; please report it when it happens again."
_ADVICE = re.compile(r"\n(?=Please make sure|Make sure your|If you are trying|For more details)")
"""Where the hub's client begins to tell its own remedies."""


def explain(error: BaseException, doing: str, remedy: str = _SEE_LOG) -> GlmError:
    """Put an exception into words.

    Args:
        doing: What was going on, for a title where the table has none: ``loading the model``.
        remedy: What to do then.
    """
    if isinstance(error, GlmError):
        return error
    chain = chain_of(error)
    found = first_row(f"{type(cause).__name__}: {cause}" for cause in chain)
    if found is not None:
        number, row = found
        body = row.meaning if row.says_all else _reason(chain[number])
        return row.error(row.title, body, row.remedy)
    return EngineError(
        f"Something went wrong while {doing}",
        _reason(error),
        remedy,
    )


def chain_of(error: BaseException) -> list[BaseException]:
    """An exception and what led to it, the outermost first."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or current.__context__
    return found


def _reason(error: BaseException) -> str:
    said = _ADVICE.split(str(error))[0]
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    text = " ".join(lines)
    if len(text) > _MAX_REASON:
        text = text[:_MAX_REASON].rsplit(" ", 1)[0] + " ..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
