"""``glm4v-tui tasks``: what can be asked for with ``--task``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.commands.start import plugins_of, settings_with
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.schema import schema_of

if TYPE_CHECKING:
    from glm4v_tui.tasks.task import Task


class TaskInfo(msgspec.Struct, frozen=True):
    """What ``--json`` prints of a task."""

    name: str
    title: str
    summary: str
    version: str
    source: str
    """The plugin or file it comes from."""
    labels: tuple[str, ...]
    schema: dict[str, Any]
    """Of its results, a JSON Schema."""


def run(*, as_json: bool) -> int:
    """Print the tasks; the exit code."""
    plugins = plugins_of(settings_with())
    for notice in plugins.notices:
        sys.stderr.write(f"{notice}\n")
    infos = [_info(task, plugins.sources[name]) for name, task in sorted(plugins.tasks.items())]
    if as_json:
        sys.stdout.write(f"{msgspec.json.encode({'tasks': infos}).decode()}\n")
        return 0
    width = max((len(info.name) for info in infos), default=0)
    for info in infos:
        sys.stdout.write(f"{info.name.ljust(width)}  {plain_line(info.summary)}\n")
    if not infos:
        sys.stdout.write("There are no tasks; glm4v-tui plugin list says why.\n")
    return 0


def _info(task: Task[Any, Any], source: str) -> TaskInfo:
    labels = tuple(label.name for label in task.labels)
    schema = schema_of(task.result_type)
    return TaskInfo(task.name, task.title, task.summary, task.version, source, labels, schema)
