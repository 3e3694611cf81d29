"""What a model library's exception means to a user: title, reason, remedy.

The libraries tell failures apart by wording more than by class; the words are in
:mod:`glm4v_tui.diagnosis`.
"""

from __future__ import annotations

import re

from glm4v_tui.diagnosis import first_row
from glm4v_tui.errors import EngineError, GlmError

_MAX_REASON = 600
_FATAL = r"device-side assert|illegal memory access|CUDA error: unspecified launch failure"


def explain(error: BaseException, doing: str) -> GlmError:
    """Put an exception into words.

    Args:
        doing: What was going on, for a title where the table has none: ``loading the model``.
    """
    if isinstance(error, GlmError):
        return error
    chain = _chain(error)
    found = first_row(f"{type(cause).__name__}: {cause}" for cause in chain)
    if found is not None:
        number, row = found
        return row.error(row.title, _reason(chain[number]), row.remedy)
    return EngineError(
        f"Something went wrong while {doing}",
        _reason(error),
        "The model's log has the details; please report it when it happens again.",
    )


def is_fatal(error: BaseException) -> bool:
    """True when this process can compute no more: a CUDA context does not survive a fault."""
    return any(re.search(_FATAL, str(cause)) for cause in _chain(error))


def _chain(error: BaseException) -> list[BaseException]:
    """An exception and what led to it, the outermost first."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or current.__context__
    return found


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines)
    if len(text) > _MAX_REASON:
        text = text[:_MAX_REASON].rsplit(" ", 1)[0] + " ..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
