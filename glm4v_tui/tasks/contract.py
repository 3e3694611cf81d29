"""What a task must be, checked before it is offered to anybody."""

from __future__ import annotations

from typing import Any

from glm4v_tui.tasks.schema import form_of
from glm4v_tui.tasks.task import API, TASK_NAME, Generation, Label, Task, Words


def check_task(task: object) -> list[str]:
    """What is wrong with a task, in words; empty when it fits the contract."""
    if not isinstance(task, Task):
        return [f"{type(task).__name__} is no Task: subclass glm4v_tui.Task and offer an instance"]
    missing = [
        name
        for name in ("name", "title", "summary", "question", "result_type")
        if not hasattr(task, name)
    ]
    if missing:
        return [f"the task {type(task).__name__} lacks {', '.join(missing)}"]
    problems = _wrong_types(task)
    if problems:
        return problems
    if task.api > API:
        problems.append(f"{task.name} needs version {task.api} of the task contract, not {API}")
    if not TASK_NAME.fullmatch(task.name):
        problems.append(f"{task.name!r} is no task name: lower-case letters, digits, - and _")
    try:
        _check_form(task.result_type)
    except Exception as error:  # noqa: BLE001 - any class may stand there
        problems.append(f"{task.name}: its result type has no JSON form ({error})")
    try:
        task.options_type()
    except Exception as error:  # noqa: BLE001
        problems.append(f"{task.name}: every option needs a default ({error})")
    keys = [label.key for label in task.labels if label.key]
    if len(set(keys)) != len(keys):
        problems.append(f"{task.name}: two labels have the same key")
    return problems


_TYPES: dict[str, Any] = {
    **dict.fromkeys(("name", "title", "summary", "version", "notice"), str),
    **dict.fromkeys(("api", "reasoning_tokens"), int),
    **dict.fromkeys(("question", "system_prompt"), Words),
    "labels": tuple,
    "generation": Generation,
    "is_private": bool,
    "options_type": type,
}
"""Of a task's class variables; a wrong one would fail later, where it is used."""


def _check_form(result_type: Any) -> None:
    if isinstance(result_type, dict):
        from glm4v_tui.tasks.validating import check_schema

        check_schema(result_type)
    form_of(result_type)


def _wrong_types(task: Task[Any, Any]) -> list[str]:
    wrong = [
        f"the task {type(task).__name__}: {name} is to be {kind.__name__}, "
        f"not {type(getattr(task, name)).__name__}"
        for name, kind in _TYPES.items()
        if not isinstance(getattr(task, name), kind)
    ]
    if not wrong and not all(isinstance(label, Label) for label in task.labels):
        wrong.append(f"the task {type(task).__name__}: labels are to be Label(...)")
    return wrong
