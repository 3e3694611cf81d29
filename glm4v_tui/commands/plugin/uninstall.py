"""``glm4v-tui plugin uninstall``: plugins removed from this environment, and forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui import paths
from glm4v_tui.commands.plugin.consent import consent, say
from glm4v_tui.errors import PluginError, UsageError
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.checkup import plugins_named
from glm4v_tui.tasks.installer import Environment, find_installer, run_installer
from glm4v_tui.tasks.plugin_report import OWN
from glm4v_tui.tasks.plugins import find_plugins
from glm4v_tui.tasks.probe import Installed, describe, installed_plugins
from glm4v_tui.tasks.project import normalized
from glm4v_tui.tasks.remembered import read_remembered, remember
from glm4v_tui.toml_file import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def run(names: Sequence[str], *, yes: bool = False) -> int:
    """Remove the distributions of these plugins, or of these names; the exit code.

    Raises:
        UsageError: one of them is no plugin, or is bundled; nothing was done then.
        PluginError: the installer failed, or did not remove it.
    """
    known = [describe(entry) for entry in find_plugins()]
    gone = [name for name in names if not plugins_named(name, known)]
    for name in gone:
        _check_remembered(name, known)
    found = [one for name in names for one in plugins_named(name, known)]
    for plugin in found:
        _refuse_bundled(plugin)
    targets = list(dict.fromkeys(plugin.distribution for plugin in found))
    if targets:
        command = find_installer(Environment.current()).uninstall(targets)
        consent(command, _loss(targets, known), yes=yes)
        run_installer(command, say)
        _check_gone(targets)
    remember((), forget=[*targets, *gone])
    for name in gone:
        say(f"{name} was not installed any more; it is forgotten.")
    for target in targets:
        say(f"{target} is removed and forgotten. Packages that came with it stay.")
    return 0


def _check_remembered(name: str, known: Sequence[Installed]) -> None:
    remembered = [one.name for one in read_remembered()]
    if normalized(name) in map(normalized, remembered):
        return
    file = paths.user_tasks_dir() / f"{name.removesuffix('.toml')}.toml"
    if file.exists():
        raise UsageError(
            f"{plain_line(name)} is a task file of yours",
            plain_line(str(file)),
            "Move or delete the file; nothing else belongs to it.",
        )
    names = [one.name for one in known if normalized(one.distribution) != OWN]
    names += [one.distribution for one in known if normalized(one.distribution) != OWN]
    names += remembered
    raise UsageError(
        f"There is no plugin {plain_line(name)}",
        did_you_mean(name, dict.fromkeys(names)).lstrip("; ").capitalize(),
        "glm4v-tui plugin list names them.",
    )


def _refuse_bundled(plugin: Installed) -> None:
    if normalized(plugin.distribution) == OWN:
        raise UsageError(
            f"{plugin.name} comes with glm4v-tui and stays with it",
            "It can be switched off; nothing of it is imported then.",
            f'Write in {paths.config_file()}, under [plugins]: disabled = ["{plugin.name}"]',
        )


def _loss(targets: Sequence[str], known: Sequence[Installed]) -> Iterable[str]:
    for target in targets:
        plugins = ", ".join(one.name for one in known if one.distribution == target)
        yield f"to remove {target}, with it: {plugins}"


def _check_gone(targets: Sequence[str]) -> None:
    try:
        left = {one.distribution for one in installed_plugins()} & set(targets)
    except (OSError, ValueError):
        return  # another plugin is at fault; the installer said that it was done
    if left:
        raise PluginError(
            f"{', '.join(sorted(left))} is still there",
            "It was not installed into this environment, but into one that this sees.",
            "Remove it with the installer that installed it.",
        )
