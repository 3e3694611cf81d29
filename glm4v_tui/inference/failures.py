"""What a model library's exception means to a user, and whether the process survives it.

The libraries tell failures apart by wording more than by class; the words are in
:mod:`glm4v_tui.diagnosis`.
"""

from __future__ import annotations

import re

from glm4v_tui.diagnosis import chain_of, explain
from glm4v_tui.errors import OutOfMemoryError

__all__ = ["explain", "is_fatal", "is_out_of_memory"]

_FATAL = r"device-side assert|illegal memory access|CUDA error: unspecified launch failure"


def is_fatal(error: BaseException) -> bool:
    """True when this process can compute no more: a CUDA context does not survive a fault."""
    return any(re.search(_FATAL, str(cause)) for cause in chain_of(error))


def is_out_of_memory(error: BaseException) -> bool:
    """True when less at a time would have been possible."""
    return isinstance(explain(error, ""), OutOfMemoryError)
