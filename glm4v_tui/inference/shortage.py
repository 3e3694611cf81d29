"""Memory that did not suffice: told apart from other failures, and let go of."""

from __future__ import annotations

import re
import sys
import traceback
from typing import TYPE_CHECKING, NamedTuple

from glm4v_tui.errors import OutOfMemoryError
from glm4v_tui.inference.failures import explain, is_fatal

if TYPE_CHECKING:
    from collections.abc import Container


_IN_OTHER_WORDS = (
    r"could not create a (primitive|memory)|CUDNN_STATUS_(ALLOC_FAILED|NOT_INITIALIZED)"
    r"|CUBLAS_STATUS_NOT_INITIALIZED|unable to find an engine to execute this computation"
)
"""What oneDNN, cuDNN and cuBLAS say when they get no memory for themselves."""
_REMEDY = "Ask about a smaller image or a crop, start a new conversation, or end other programs."


class Shortage(NamedTuple):
    """What is known of a failure; nothing of what its frames held."""

    title: str
    reason: str
    remedy: str
    at_vision: bool
    """It came while an image was looked at."""


def is_shortage(error: BaseException) -> bool:
    """Whether less at a time would have been possible."""
    return not is_fatal(error) and _told(error) is not None


def shortage_of(error: BaseException, tower: Container[int]) -> Shortage | None:
    """What an exception says of the memory; None for one that is about something else.

    Args:
        tower: ``id`` of the modules that look at images.
    """
    if is_fatal(error):
        return None
    if (told := _told(error)) is None:
        return None
    print("".join(traceback.format_exception(error)), file=sys.stderr)  # noqa: T201 - the log
    return Shortage(told.title, told.body, told.remedy, _passes(error, tower))


def _told(error: BaseException) -> OutOfMemoryError | None:
    told = explain(error, "answering")
    if isinstance(told, OutOfMemoryError):
        return told
    if re.search(_IN_OTHER_WORDS, str(error)):
        return OutOfMemoryError("The memory did not suffice", told.body, _REMEDY)
    return None


def _passes(error: BaseException, modules: Container[int]) -> bool:
    """Whether one of these modules was running."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(id(frame.f_locals.get("self")) in modules for frame, _ in frames)
