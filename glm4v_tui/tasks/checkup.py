"""All that is wrong with a plugin or a task file, and what could be better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.errors import SettingsError, UsageError
from glm4v_tui.paths import expanded, is_folder, is_there
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.checking import check_task
from glm4v_tui.tasks.plugin_loading import HOOKS
from glm4v_tui.tasks.plugin_report import PluginState
from glm4v_tui.tasks.plugins import bundled_tasks, find_plugins, is_bundled
from glm4v_tui.tasks.probe import LIMIT_S, Installed, describe, probe
from glm4v_tui.tasks.project import normalized, read_project
from glm4v_tui.tasks.rehearsal import hints_for, rehearse
from glm4v_tui.toml_file import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from glm4v_tui.tasks.probe import Probed


class Checkup(msgspec.Struct, frozen=True):
    """What was found."""

    subject: str
    brings: tuple[str, ...] = ()
    """In words, a line for each plugin or task."""
    faults: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def is_fit(self) -> bool:
        return not self.faults


def check(named: str, *, limit_s: float = LIMIT_S) -> Checkup:
    """Check a project's folder, a task file, or an installed plugin by its name.

    Code of a plugin runs in processes of their own, each at most ``limit_s`` seconds.

    Raises:
        UsageError: there is nothing of this name.
    """
    path = expanded(named)
    if is_folder(path):
        return _check_project(path, limit_s)
    if is_there(path) and path.name == "pyproject.toml":
        return _check_project(path.absolute().parent, limit_s)
    if is_there(path) and path.suffix == ".toml":
        return _check_file(path)
    found = plugins_named(named, [describe(entry) for entry in find_plugins()])
    if found:
        return _check_installed(named, found, limit_s)
    if is_there(path):
        raise UsageError(
            "This is neither a project nor a task file",
            plain_line(str(path)),
            "Name the folder that has pyproject.toml, a task's .toml, or an installed plugin.",
        )
    names = [entry.name for entry in find_plugins()]
    raise UsageError(
        f"There is no file and no plugin {plain_line(named)}",
        did_you_mean(named, names).lstrip("; ").capitalize(),
        "glm4v-tui plugin list names the installed ones.",
    )


def plugins_named(name: str, plugins: list[Installed]) -> list[Installed]:
    """The plugins of this name, or else those of the distribution of this name."""
    return [one for one in plugins if one.name == name] or [
        one for one in plugins if normalized(one.distribution) == normalized(name)
    ]


def _check_file(path: Path) -> Checkup:
    from glm4v_tui.tasks.toml_task import load_toml_task

    subject = str(path)
    try:
        task = load_toml_task(path)
    except SettingsError as error:
        return Checkup(subject, faults=tuple(error.body.splitlines()))
    misfits = check_task(task)
    faults = [f"{path}: {problem}" for problem in misfits or rehearse(task)]
    taken = bundled_tasks()
    if task.name in taken:
        faults.append(f"{path}: name: the bundled plugin {taken[task.name]} has this task already")
    hints = () if misfits else (*hints_for(task), *_taken((task.name,), ""))
    return Checkup(subject, (f"task {plain_line(task.name)}",), tuple(faults), hints)


def _check_project(folder: Path, limit_s: float) -> Checkup:
    try:
        project = read_project(folder)
    except FileNotFoundError:
        fault = "there is no pyproject.toml: glm4v-tui plugin new writes one"
        return Checkup(str(folder), faults=(f"{folder}: {fault}",))
    except SettingsError as error:
        return Checkup(str(folder), faults=tuple(error.body.splitlines()))
    found = [(one, probe(one, project.folders, limit_s=limit_s)) for one in project.plugins]
    subject = f"{project.name} {project.version} in {folder}".strip()
    return _checkup(subject, found, project.faults, project.hints)


def _check_installed(named: str, plugins: list[Installed], limit_s: float) -> Checkup:
    found = [(one, probe(one, limit_s=limit_s)) for one in plugins]
    dists = dict.fromkeys(f"{one.distribution} {one.version}" for one in plugins)
    return _checkup(f"{named} ({', '.join(dists)})", found)


def _checkup(
    subject: str,
    found: list[tuple[Installed, Probed]],
    faults: tuple[str, ...] = (),
    hints: tuple[str, ...] = (),
) -> Checkup:
    brings = []
    for plugin, probed in found:
        if probed.brings != "nothing":
            taken = f"import {probed.seconds * 1000:.0f} ms"
            brings.append(f"plugin {plugin.name}: {probed.brings}; {taken}")
        faults += tuple(f"{plugin.name}: {reason}" for reason in probed.reasons)
        if probed.state is PluginState.OK and probed.brings == "nothing":
            faults += (f"{plugin.name}: {_nothing(plugin)}",)
        hints += probed.hints + _taken(probed.tasks, plugin.name)
    return Checkup(subject, tuple(brings), faults, hints)


def _nothing(plugin: Installed) -> str:
    hooks = ", ".join(HOOKS)
    return f"{plugin.value} brings nothing: it needs a hook that gives something ({hooks})"


def _taken(tasks: tuple[str, ...], own: str) -> tuple[str, ...]:
    """Tasks that are named as a plugin that is there: most likely it has a task of the name."""
    others = {entry.name for entry in find_plugins() if not is_bundled(entry)} - {own}
    return tuple(
        f"there is a plugin {name}; when it has a task of this name too, the first is taken"
        for name in tasks
        if name in others
    )
