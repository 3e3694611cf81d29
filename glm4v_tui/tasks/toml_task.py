"""A task in one TOML file, without Python::

    name = "bottles"
    title = "Bottles"
    summary = "Fill level and cap of a bottle."
    question = "How full is the bottle, and is the cap on?"
    question_zh = "瓶子有多满？盖子盖上了吗？"
    system_prompt = "You inspect bottles on a filling line."
    reasoning_tokens = 0
    max_new_tokens = 256

    [fields.level]
    type = "whole number"          # text, whole number, number, yes/no, choice, box
    min = 0
    max = 100
    meaning = "percent of the bottle that is filled"

    [fields.cap]
    type = "choice"
    choices = ["on", "off", "crooked"]

    [fields.flaws]
    type = "text"
    list = true                    # several of them
    optional = true                # may be left out

    [[labels]]
    name = "pass"
    key = "p"

A field of the type ``box`` is drawn on the picture. What else a label may say is told in
``toml_labels``.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from glm4v_tui.errors import SettingsError
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.panel import Region, pixel_box
from glm4v_tui.tasks.task import TASK_NAME, Generation, Task, Words
from glm4v_tui.tasks.toml_fields import FieldFile, problems_of, type_of
from glm4v_tui.tasks.toml_labels import Rule, label_by, read_labels
from glm4v_tui.toml_file import REMEDY, Problem, read_toml, settings_error
from glm4v_tui.toml_struct import read_struct, read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from glm4v_tui.images import Facts
    from glm4v_tui.toml_file import TomlFile

P = TypeVar("P")

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Temperature = Annotated[float, msgspec.Meta(ge=0)]

_LARGEST_FILE = 1 << 18
"""Bytes; more is no task file."""


class TaskFile(msgspec.Struct, frozen=True):
    """What a task file may hold, but for ``fields`` and ``labels``."""

    name: str
    question: str
    title: str = ""
    summary: str = ""
    version: str = "1"
    question_zh: str = ""
    system_prompt: str = ""
    system_prompt_zh: str = ""
    label_question: str = ""
    label_question_zh: str = ""
    notice: str = ""
    is_private: bool = False
    reasoning_tokens: Count = 0
    max_new_tokens: Positive = 1024
    temperature: Temperature = 0.0


def load_toml_task(path: Path) -> Task[Any, Any]:
    """Read a task file.

    Raises:
        SettingsError: with file, line and key.
        FileNotFoundError: there is no such file.
    """
    file = _read(path)
    problems = _Problems(path)
    head = problems.of(lambda: _head(file))
    fields = problems.of(lambda: _fields(file))
    labelled = problems.of(lambda: read_labels(file, fields))
    if head is None or fields is None or labelled is None:
        raise problems.error()
    labels, rules = labelled
    result_type = _result_type(head.name, fields)
    boxes = tuple(name for name, field in fields.items() if field.type == "box")
    kind = type(
        f"TomlTask_{_identifier(head.name)}",
        (TomlTask,),
        {
            "name": head.name,
            "title": head.title or head.name.capitalize(),
            "summary": head.summary,
            "version": head.version,
            "question": Words(head.question, head.question_zh),
            "system_prompt": Words(head.system_prompt, head.system_prompt_zh),
            "notice": head.notice,
            "is_private": head.is_private,
            "labels": labels,
            "label_question": Words(head.label_question, head.label_question_zh),
            "label_rules": rules,
            "reasoning_tokens": head.reasoning_tokens,
            "generation": Generation(head.max_new_tokens, head.temperature),
            "result_type": result_type,
            "box_fields": boxes,
        },
    )
    task: Task[Any, Any] = kind()
    return task


class TomlTask(Task[msgspec.Struct, msgspec.Struct]):
    """The common part of all tasks from files."""

    box_fields: tuple[str, ...] = ()
    label_rules: tuple[Rule, ...] = ()

    def label_of(self, result: msgspec.Struct, options: msgspec.Struct) -> str | None:
        del options
        return label_by(self.label_rules, result)

    def regions(self, result: msgspec.Struct, facts: Facts) -> Sequence[Region]:
        found = []
        for name in self.box_fields:
            value = getattr(result, name) or []
            boxes = value if value and isinstance(value[0], list) else [value] if value else []
            found += [Region(pixel_box(box, facts.width, facts.height), name) for box in boxes]
        return found


class _Problems:
    """All that is wrong in a file, whichever part of it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []

    def of(self, read: Callable[[], P]) -> P | None:
        try:
            return read()
        except SettingsError as error:
            self._lines += error.body.splitlines()
            return None

    def error(self) -> SettingsError:
        count = len(self._lines)
        title = (
            f"{plain_line(self._path.name)} has {f'{count} errors' if count > 1 else 'an error'}"
        )
        return SettingsError(title, "\n".join(self._lines), REMEDY)


def _read(path: Path) -> TomlFile:
    if path.stat().st_size > _LARGEST_FILE:
        raise settings_error(path, [Problem("", "a task file has at most 256 KB")])
    return read_toml(path)


def _head(file: TomlFile) -> TaskFile:
    head = read_struct(file, TaskFile, ("fields", "labels"))
    problems = []
    if not TASK_NAME.fullmatch(head.name):
        text = f'"{head.name[:40]}" is no task name: lower-case letters, digits, - and _'
        problems.append(file.problem(("name",), text))
    if not head.question.strip():
        problems.append(file.problem(("question",), "the question is empty"))
    if len(head.version.split()) != 1:
        problems.append(file.problem(("version",), "the version is one word"))
    if problems:
        raise settings_error(file.path, problems)
    return head


def _fields(file: TomlFile) -> dict[str, FieldFile]:
    tables = file.data.get("fields")
    if not isinstance(tables, dict) or not tables:
        raise settings_error(
            file.path, [Problem("fields", "a task needs at least one [fields.NAME]")]
        )
    problems = _Problems(file.path)
    fields = {name: problems.of(partial(_field, file, name)) for name in tables}
    found = {name: field for name, field in fields.items() if field is not None}
    if len(found) < len(fields):
        raise problems.error()
    return found


def _field(file: TomlFile, name: str) -> FieldFile:
    field = read_table(file, FieldFile, ("fields", name))
    wrong = [
        file.problem(("fields", name, *filter(None, (key,))), text)
        for key, text in problems_of(name, field)
    ]
    if wrong:
        raise settings_error(file.path, wrong)
    return field


def _result_type(name: str, fields: dict[str, FieldFile]) -> type[msgspec.Struct]:
    required = [(key, type_of(spec)) for key, spec in fields.items() if not spec.optional]
    optional = [(key, type_of(spec) | None, None) for key, spec in fields.items() if spec.optional]
    return msgspec.defstruct(
        f"Result_of_{_identifier(name)}", [*required, *optional], frozen=True, kw_only=True
    )


def _identifier(name: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", name)
