"""An answer read as the result of its task: whole, cut off, or not in its form."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.chat import split_answer
from glm4v_tui.errors import ResultError
from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.result_mark import RESULT_MARK

if TYPE_CHECKING:
    from glm4v_tui.tasks.task import Task


class ResultState(StrEnum):
    WHOLE = "whole"
    CUT = "cut"
    """The answer ended before the result did: at the length limit, or by the user."""
    WRONG = "wrong"
    """The answer is not in the task's form; only engines that cannot bind it let that happen."""


@dataclass(frozen=True)
class Result:
    """What an answer says, in the task's own type."""

    state: ResultState
    value: Any = None
    """Of the task's result type; None unless whole."""
    json: str = ""
    """The part of the answer that is, or was to be, the result."""
    reason: str = ""
    """What is wrong with it, in words."""

    def require(self) -> Any:
        """The value of a whole result.

        Raises:
            ResultError: it is not whole.
        """
        if self.state is ResultState.WHOLE:
            return self.value
        if self.state is ResultState.CUT:
            raise ResultError(
                "The result is incomplete",
                f"The answer ended after {len(self.json)} characters of it.",
                "Allow a longer answer (--max-new-tokens), or ask about a part of the image.",
            )
        raise ResultError("The answer is not in the task's form", self.reason, "Ask again.")


def result_text(raw: str) -> str:
    """The result in an answer: what comes after the thinking, or after the mark, without fences."""
    text = split_answer(raw).text
    _, mark, after = text.rpartition(RESULT_MARK)
    return (after if mark else text).strip().removesuffix("```").strip()


def read_result(task: Task[Any, Any], raw: str, *, is_finished: bool) -> Result:
    """Read an answer.

    Args:
        raw: All that the model wrote.
        is_finished: It ended of itself (``FinishReason.STOP``), not at a limit.
    """
    text = result_text(raw)
    try:
        value = _decoded(text, task.result_type)
    except (ValueError, RecursionError) as error:
        # A whole JSON value that does not fit is wrong however it ended.
        if not is_finished and not _is_json(text):
            return Result(ResultState.CUT, json=text)
        return Result(ResultState.WRONG, json=text, reason=plain_line(str(error))[:300])
    return Result(ResultState.WHOLE, value, text)


def _decoded(text: str, result_type: Any) -> Any:
    """The value, without what could move a cursor: a bound answer holds none of it."""
    if not isinstance(result_type, dict):
        value = msgspec.json.decode(text, type=result_type)
        raw = msgspec.json.decode(text)
        cleaned = _cleaned(raw)
        return value if cleaned == raw else msgspec.convert(cleaned, result_type, str_keys=True)
    from glm4v_tui.tasks.validating import validate  # only for tasks that bring a schema

    raw = msgspec.json.decode(text)
    validate(raw, result_type)
    cleaned = _cleaned(raw)
    if cleaned != raw:
        validate(cleaned, result_type)
    return cleaned


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return plain_text(value)
        case list():
            return [_cleaned(item) for item in value]
        case dict():
            return {plain_line(key): _cleaned(item) for key, item in value.items()}
        case _:
            return value


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
