"""Plugins and what the settings say of them and of their tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui import paths
from glm4v_tui.config import Settings, task_options
from glm4v_tui.doctor.finding import SETTINGS, Finding, Status
from glm4v_tui.engine_settings import all_engines
from glm4v_tui.errors import SettingsError
from glm4v_tui.plain import plain_line
from glm4v_tui.toml_file import did_you_mean, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glm4v_tui.tasks.plugins import Plugins

AREA = "tasks"
_REMEDY = "glm4v-tui plugin list tells more; [plugins] disabled switches one off."


def check(settings: Settings) -> Iterator[Finding]:
    """Every plugin that has a problem, every name in the settings that nobody has, every option
    of a task that is wrong. Runs the plugins' code."""
    from glm4v_tui.tasks.plugins import load_plugins

    plugins = load_plugins(settings.plugins, sorted(paths.user_tasks_dir().glob("*.toml")))
    yield Finding(AREA, "tasks", Status.OK, ", ".join(sorted(plugins.tasks)) or "none")
    for report in plugins.reports:
        if report.notice is not None:
            yield Finding(AREA, plain_line(report.name), Status.WARN, report.notice, _REMEDY)
    yield from _unknown_plugins(settings, plugins)
    yield from _options(plugins)
    yield from _of_engines(plugins)


def _unknown_plugins(settings: Settings, plugins: Plugins) -> Iterator[Finding]:
    known = [report.name for report in plugins.reports]
    for key in ("enabled", "disabled"):
        for name in getattr(settings.plugins, key) or ():
            if name not in known:
                told = f"plugins.{key}: there is no plugin {plain_line(name)}"
                hint = did_you_mean(name, known)
                yield Finding(SETTINGS, "plugins", Status.WARN, told + hint, "Correct the name.")


def _of_engines(plugins: Plugins) -> Iterator[Finding]:
    """Names of tasks in ``[engines.NAME]``."""
    try:
        engines = all_engines()
    except SettingsError:  # told where the file is looked at
        return
    for name, told in engines.items():
        for key in ("tasks", "private_tasks"):
            for task in getattr(told, key):
                if task not in plugins.tasks:
                    place = f"engines.{plain_line(name)}"
                    words = f"{place}.{key}: no task {plain_line(task)} is loaded"
                    hint = did_you_mean(task, plugins.tasks)
                    yield Finding(SETTINGS, place, Status.WARN, words + hint, "Correct the name.")


def _options(plugins: Plugins) -> Iterator[Finding]:
    """What ``[tasks.NAME]`` says; a task that is not loaded may be another environment's."""
    file = paths.config_file()
    try:
        tables = read_toml(file).data.get("tasks", {}) if file.exists() else {}
    except SettingsError:  # told where the file is looked at
        return
    for name in tables if isinstance(tables, dict) else ():
        if (task := plugins.tasks.get(name)) is None:
            told = f"tasks.{plain_line(name)}: no task of this name is loaded"
            hint = did_you_mean(name, plugins.tasks)
            yield Finding(SETTINGS, "tasks", Status.WARN, told + hint, "Correct the name.")
            continue
        try:
            task_options(name, task.options_type)
        except SettingsError as error:
            yield Finding(SETTINGS, f"tasks.{name}", Status.FAIL, error.body, error.remedy)
