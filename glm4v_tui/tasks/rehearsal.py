"""A task tried out without a model: its own code is called as a question would call it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.errors import GlmError
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.call import examined, make_call, preparation_of, wording
from glm4v_tui.tasks.outcome import outcome_of
from glm4v_tui.tasks.references import resolved
from glm4v_tui.tasks.results import ResultState
from glm4v_tui.tasks.samples import samples_of
from glm4v_tui.tasks.schema import schema_of
from glm4v_tui.tasks.task import Language

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glm4v_tui.tasks.call import TaskCall
    from glm4v_tui.tasks.task import Task

    AnyTask = Task[Any, Any]

_SIZE = (64, 48)


def rehearse(task: AnyTask) -> list[str]:
    """What fails when the task meets a picture and results that its form allows, in words."""
    from PIL import Image

    from glm4v_tui.images import Facts

    problems: list[str] = []
    facts, options = Facts(*_SIZE, "PNG"), task.options_type()
    image = Image.new("RGB", _SIZE, "gray")
    preparation = preparation_of(task, options)
    call: list[TaskCall] = []
    steps: list[Callable[[], object]] = [
        lambda: preparation and preparation.apply(image, facts),
        lambda: examined(task, image, facts, options),
        lambda: [wording(task, options, language, [facts]) for language in Language],
        lambda: call.append(make_call(task, options, Language.EN, [facts])),
    ]
    for step in steps:
        try:
            step()
        except GlmError as error:
            problems.append(f"{error.title}: {error.body}")
    failed: dict[str, str] = {}
    for sample in samples_of(schema_of(task.form(options))) if call else ():
        text = msgspec.json.encode(sample).decode()
        for problem in _shown(task, call[0], text):
            failed.setdefault(problem, text)
    told = (f"{one} (with the result {plain_line(text)[:200]})" for one, text in failed.items())
    return [*problems, *told]


def hints_for(task: AnyTask) -> list[str]:
    """What could be better in a task that works."""
    hints = []
    if task.question.en and not task.question.zh:
        hints.append(f"{task.name}: the question has no Chinese; the English one serves for both")
    if task.system_prompt.en and not task.system_prompt.zh:
        hints.append(f"{task.name}: the system prompt has no Chinese")
    if not task.labels:
        hints.append(f"{task.name}: without labels a reviewer has no verdicts to give")
    schema = schema_of(task.result_type)
    hints += [f"{task.name}: {place} {text}" for place, text in _open_ends(schema, schema, ())]
    return hints


def _shown(task: AnyTask, call: TaskCall, sample: str) -> list[str]:
    outcome = outcome_of(task, call, sample, is_finished=True)
    if outcome.result.state is not ResultState.WHOLE:
        return []  # a pattern or a format that no sample is made for
    failed = f"The task {task.name} failed"
    return [warning for warning in outcome.warnings if warning.startswith(failed)]


def _open_ends(raw: Any, root: Any, at: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(field, which bound is set for it) for every text, list and number without an own one."""
    node = resolved(raw, root)
    place = ".".join(at).replace(".[]", "[]")
    if "enum" in node or "const" in node or len(at) > 8:
        return
    kind = node.get("type")
    if kind == "string" and not {"maxLength", "pattern", "format"} & node.keys():
        yield place, "says nothing of its longest length, so one is set for it"
    if kind in {"integer", "number"} and not {"minimum", "maximum"} <= node.keys():
        yield place, "has no range, so a wide one is set for it"
    if kind == "array":
        if "maxItems" not in node:
            yield place, "says nothing of how many there may be, so a limit is set for it"
        if isinstance(node.get("items"), dict):
            yield from _open_ends(node["items"], root, (*at, "[]"))
    for name, field in node.get("properties", {}).items():
        yield from _open_ends(field, root, (*at, name))
    for option in node.get("anyOf", ()):
        yield from _open_ends(option, root, at)
