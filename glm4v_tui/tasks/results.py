"""An answer read as the result of its task: whole, cut off, or not in its form."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.chat import split_answer
from glm4v_tui.errors import ResultError
from glm4v_tui.plain import plain_line
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
    except (msgspec.DecodeError, ValueError) as error:
        # A whole JSON value that does not fit is wrong however it ended.
        if not is_finished and not _is_json(text):
            return Result(ResultState.CUT, json=text)
        return Result(ResultState.WRONG, json=text, reason=plain_line(str(error))[:300])
    return Result(ResultState.WHOLE, value, text)


def _decoded(text: str, result_type: Any) -> Any:
    if not isinstance(result_type, dict):
        return msgspec.json.decode(text, type=result_type)
    import jsonschema  # only for tasks that bring a schema of their own

    value = msgspec.json.decode(text)
    try:
        jsonschema.validate(value, result_type)
    except jsonschema.ValidationError as error:
        raise ValueError(error.message) from error
    return value


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True
