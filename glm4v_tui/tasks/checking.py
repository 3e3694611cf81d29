"""Whether a task fits the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import astuple

from glm4v_tui.tasks.schema import form_of
from glm4v_tui.tasks.task import API, TASK_NAME, Generation, Label, Task, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEEDED = ("name", "title", "summary", "question", "result_type")
_TYPES: dict[str, type] = {
    "name": str, "title": str, "summary": str, "version": str, "api": int, "question": Words,
    "system_prompt": Words, "labels": tuple, "label_question": Words, "generation": Generation,
    "options_type": type, "reasoning_tokens": int, "notice": str, "is_private": bool,
}  # fmt: skip


def check_task(task: object) -> list[str]:
    """What is wrong with a task, in words; empty when it fits the contract."""
    if not isinstance(task, Task):
        return [f"{type(task).__name__} is no Task: subclass glm4v_tui.Task and offer an instance"]
    missing = [name for name in _NEEDED if not hasattr(task, name)]
    if missing:
        return [f"the task {type(task).__name__} lacks {', '.join(missing)}"]
    if wrong := list(_wrong_types(task)):
        return [f"the task {type(task).__name__}: {text}" for text in wrong]
    return list(_problems(task))


def _wrong_types(task: Task[Any, Any]) -> Iterator[str]:
    for name, kind in _TYPES.items():
        value = getattr(task, name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            yield f"{name} is {type(value).__name__}, not {kind.__name__}"
    if not all(isinstance(label, Label) for label in task.labels):
        yield "labels are to be Label(...)"
    elif not all(isinstance(text, str) for one in task.labels for text in astuple(one)):
        yield "what a Label(...) holds is text"


def _problems(task: Task[Any, Any]) -> Iterator[str]:
    if task.api > API:
        yield f"{task.name} needs version {task.api} of the task contract, not {API}"
    if not TASK_NAME.fullmatch(task.name):
        yield f"{task.name!r} is no task name: lower-case letters, digits, - and _"
    if not task.version or len(task.version.split()) != 1:
        yield f"{task.name}: the version {task.version!r} is to be one word"
    if not task.question.en.strip():
        yield f"{task.name}: the question is empty"
    if task.reasoning_tokens < 0:
        yield f"{task.name}: reasoning_tokens is below 0"
    yield from _form_problems(task)
    yield from _option_problems(task)
    for what in ("key", "name"):
        given = [value for label in task.labels if (value := getattr(label, what))]
        if len(set(given)) != len(given):
            yield f"{task.name}: two labels have the same {what}"
    yield from _answer_problems(task)


def _answer_problems(task: Task[Any, Any]) -> Iterator[str]:
    """Of what the model is asked to learn how sure it is."""
    answers = [label.answer for label in task.labels if label.answer]
    if answers and not task.label_question.en.strip():
        yield f"{task.name}: labels have answers, and there is no label_question to them"
    if task.label_question.en.strip() and len(answers) < 2:
        yield f"{task.name}: the label_question needs two labels with an answer at least"
    if any(answer != answer.strip() for answer in answers):
        yield f"{task.name}: an answer of a label has blanks around it"
    for answer in answers:
        others = list(answers)
        others.remove(answer)
        if any(other.startswith(answer) for other in others):
            text = "begins another's, so that they cannot be told apart"
            yield f"{task.name}: the answer {answer!r} of a label {text}"


def _form_problems(task: Task[Any, Any]) -> Iterator[str]:
    try:
        if isinstance(task.result_type, dict):
            from glm4v_tui.tasks.validating import check_schema

            check_schema(task.result_type)
        form_of(task.result_type)
    except Exception as error:  # noqa: BLE001 - any class may stand there
        yield f"{task.name}: its result type has no JSON form ({error})"


def _option_problems(task: Task[Any, Any]) -> Iterator[str]:
    try:
        msgspec.json.encode(task.options_type())
    except Exception as error:  # noqa: BLE001
        yield f"{task.name}: every option needs a default ({error})"
    else:
        if not issubclass(task.options_type, msgspec.Struct):
            yield f"{task.name}: its options are no msgspec.Struct"
        yield from _narrowed_problems(task)


def _narrowed_problems(task: Task[Any, Any]) -> Iterator[str]:
    """Of the form under the options that a user has who sets none."""
    try:
        narrowed = task.form(task.options_type())
        if isinstance(narrowed, dict):
            from glm4v_tui.tasks.validating import check_schema

            check_schema(narrowed)
        form_of(narrowed)
    except Exception as error:  # noqa: BLE001
        yield f"{task.name}: what form gives has no JSON form ({error})"
