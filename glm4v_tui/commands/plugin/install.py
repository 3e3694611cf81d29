"""``glm4v-tui plugin install``: plugins brought into this environment, and remembered."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm4v_tui.commands.plugin.consent import consent, say
from glm4v_tui.config import load_settings
from glm4v_tui.errors import PluginError, TaskError, UsageError
from glm4v_tui.tasks.installer import Environment, find_installer, run_installer
from glm4v_tui.tasks.plugin_report import PluginState
from glm4v_tui.tasks.plugins import find_plugins, is_wanted
from glm4v_tui.tasks.probe import Installed, describe, installed_plugins, probe
from glm4v_tui.tasks.project import normalized
from glm4v_tui.tasks.remembered import Remembered, missing, read_remembered, remember
from glm4v_tui.tasks.specs import Spec, read_spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from glm4v_tui.tasks.installer import Installer

TRUST = "A plugin is a program that runs with your rights: install what you trust."


@dataclass(frozen=True)
class InstallOptions:
    """The command line, as it was given."""

    specs: tuple[str, ...] = ()
    editable: tuple[str, ...] = ()
    remembered: bool = False
    upgrade: bool = False
    yes: bool = False


def run(options: InstallOptions) -> int:
    """Install, load what has come, say how it is, remember it; the exit code.

    Raises:
        UsageError: nothing to install, nothing that can be, or nobody to ask.
        PluginError: the installer failed.
    """
    installer = find_installer(Environment.current())
    read_remembered()  # a damaged list is told before anything is done
    specs, is_whole = _specs(options)
    if not specs:
        return 0 if is_whole else TaskError.exit_code
    command = installer.install(specs, upgrade=options.upgrade)
    before = [describe(entry) for entry in find_plugins()]
    consent(command, [*(f"to install {spec.what}" for spec in specs), TRUST], yes=options.yes)
    run_installer(command, say)
    after = _installed()
    new = [one for one in after if one not in before]
    came = {spec: _brought(spec, after, new) for spec in specs}
    remember(_remembered(came))
    found = list(dict.fromkeys([*(one for some in came.values() for one in some), *new]))
    is_fit = [_report(plugin) for plugin in found]
    for spec in (spec for spec, plugins in came.items() if not plugins):
        _tell_none(spec, installer)
    return 0 if is_whole and all(is_fit) and all(came.values()) else TaskError.exit_code


def _specs(options: InstallOptions) -> tuple[list[Spec], bool]:
    """What to install, and whether all that was asked for can be tried."""
    given = [read_spec(text) for text in options.specs]
    given += [read_spec(text, is_editable=True) for text in options.editable]
    if not options.remembered:
        if not given:
            raise UsageError(
                "There is nothing to install",
                "",
                "Name a package, a folder or a wheel; or give --remembered.",
            )
        return given, True
    lost = missing([one.distribution for one in map(describe, find_plugins())])
    if not lost and not given:
        say("All that is remembered is there." if read_remembered() else "Nothing is remembered.")
    is_whole = True
    for one in lost:
        try:
            given.append(read_spec(one.spec, is_editable=one.editable))
        except UsageError as error:
            is_whole = False
            say(f"{one.name} cannot be installed again. {error.title}: {error.body}")
    return given, is_whole


def _installed() -> list[Installed]:
    try:
        return installed_plugins()
    except (OSError, ValueError) as error:
        raise PluginError(
            "What was installed cannot be looked at",
            str(error),
            "glm4v-tui plugin list may say more.",
        ) from error


def _brought(
    spec: Spec, after: Sequence[Installed], new: Sequence[Installed]
) -> tuple[Installed, ...]:
    """The plugins that a SPEC has brought, or had brought before."""
    if spec.name:
        wanted = normalized(spec.name)
        return tuple(one for one in after if normalized(one.distribution) == wanted)
    same = tuple(one for one in after if one.url and one.url.rstrip("/") in spec.text)
    return same or tuple(new)


def _remembered(came: dict[Spec, tuple[Installed, ...]]) -> Iterable[Remembered]:
    for spec, plugins in came.items():
        for name, version in dict.fromkeys((one.distribution, one.version) for one in plugins):
            yield Remembered(spec.text, name, version, spec.is_editable)


def _report(plugin: Installed) -> bool:
    """Say how a plugin is; whether it works."""
    probed = probe(plugin)
    from_ = f"from {plugin.distribution} {plugin.version}"
    say(f"Plugin {plugin.name} ({from_}): {probed.state}; it brings {probed.brings}.")
    say(*(f"  {reason}" for reason in probed.reasons))
    if not is_wanted(plugin.name, load_settings().plugins):
        say("  Your settings switch it off: [plugins] in config.toml.")
    return probed.state in {PluginState.OK, PluginState.WARNED}


def _tell_none(spec: Spec, installer: Installer) -> None:
    say(
        f"{spec.name or spec.text} is installed, and it brings no plugin: none of its entry points "
        "is in the group glm4v_tui. It is not remembered.",
        f"To remove it: {shlex.join(installer.uninstall([spec.name or 'NAME']))}",
    )
