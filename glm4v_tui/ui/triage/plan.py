"""What a review was started with."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm4v_tui.triage.queue import Order

if TYPE_CHECKING:
    from pathlib import Path

    import msgspec

    from glm4v_tui.config import Settings
    from glm4v_tui.store.database import Database
    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.tasks.task import Language
    from glm4v_tui.ui.task_desk import TaskDesk


@dataclass(frozen=True)
class Plan:
    """Which images are reviewed under which task, and how."""

    task: AnyTask
    options: msgspec.Struct
    language: Language
    paths: tuple[Path, ...]
    """Files and folders."""
    database: Database
    """Where verdicts go; whoever made the plan closes it."""
    is_recursive: bool = False
    """Also the folders below."""
    order: Order = Order.NAME
    auto_above: float | None = None
    """Labels of the model that are at least this probable are given automatically; None: none."""
    reviewer: str = ""


def user_name() -> str:
    """Who is logged in; empty where the system does not know."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # KeyError: no such user in the system's list, before Python 3.13
        return ""


async def plan_of(desk: TaskDesk, text: str, paths: tuple[Path, ...], settings: Settings) -> Plan:
    """A review of what was marked, under a task as the chooser names it.

    Args:
        text: ``/NAME option=value``.

    Raises:
        GlmError: there is no such task or option, or the database cannot be used.
    """
    from glm4v_tui.config import task_options
    from glm4v_tui.store.database import Database
    from glm4v_tui.tasks.call import language_named
    from glm4v_tui.tasks.command import command_in, read_choices, with_choices

    command = command_in(text)
    assert command is not None, text
    task = await desk.find(command)
    chosen, _ = read_choices(task, command.rest)
    return Plan(
        task=task,
        options=with_choices(task, task_options(task.name, task.options_type), chosen),
        language=language_named(settings.generation.language),
        paths=paths,
        database=Database(may_read_only=True),
        reviewer=user_name(),
    )
