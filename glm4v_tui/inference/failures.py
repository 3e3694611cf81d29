"""What a model library's exception means to a user, and whether the process survives it.

The libraries tell failures apart by wording more than by class; the words are in
:mod:`glm4v_tui.diagnosis`.
"""

from __future__ import annotations

import re

from glm4v_tui import diagnosis
from glm4v_tui.diagnosis import chain_of, first_row
from glm4v_tui.errors import GlmError, OutOfMemoryError
from glm4v_tui.gpu import limit_words

_MEMORY = "out-of-memory"
_UNSAID = "SystemError: error return without exception set"
"""What Python says of an extension that got no memory to say more."""
_FATAL = r"device-side assert|illegal memory access|CUDA error: unspecified launch failure"


def explain(error: BaseException, doing: str) -> GlmError:
    """Put an exception into words; a limit that its memory met belongs to them.

    Args:
        doing: What was going on: ``loading the model``.
    """
    told = diagnosis.explain(error, doing)
    limit = limit_words()
    if isinstance(error, GlmError) or limit is None or not _is_of_host_memory(error):
        return told
    reason, remedy = limit
    return OutOfMemoryError("The memory did not suffice", f"{told.body}. {reason}", remedy)


def _is_of_host_memory(error: BaseException) -> bool:
    wordings = [f"{type(cause).__name__}: {cause}" for cause in chain_of(error)]
    found = first_row(wordings)
    return found[1].name == _MEMORY if found is not None else _UNSAID in wordings


def is_fatal(error: BaseException) -> bool:
    """True when this process can compute no more: a CUDA context does not survive a fault."""
    return any(re.search(_FATAL, str(cause)) for cause in chain_of(error))
