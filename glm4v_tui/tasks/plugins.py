"""Finds plugins, loads those that are wanted, and keeps each one's faults to itself.

The names of plugins are read from the metadata of installed distributions; nothing of a plugin is
imported before the settings allow it. A plugin that fails, is slow or does not fit is named once,
with the reason, and the others go on.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import time
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from glm4v_tui.errors import GlmError, UsageError
from glm4v_tui.images import ImageReader, install_readers
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks import hookspecs
from glm4v_tui.tasks.checking import check_task
from glm4v_tui.tasks.export import JSONL, Exporter
from glm4v_tui.tasks.task import Task
from glm4v_tui.toml_file import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from glm4v_tui.config import PluginSettings

OWN = "glm4v-tui"
"""The distribution whose plugins are bundled."""
SLOW_S = 1.0
"""A plugin that takes longer to import is named, since every start pays for it."""
_HEAVY = ("torch", "transformers", "accelerate", "bitsandbytes")
"""What a plugin must not import into the interface's process."""
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith(f"{hookspecs.PROJECT}_"))
"""What a plugin may implement."""


class PluginState(StrEnum):
    OK = "ok"
    WARNED = "warned"
    """It works, and there is something to say about it."""
    FAILED = "failed"
    INCOMPATIBLE = "incompatible"
    DISABLED = "disabled"


@dataclass
class PluginReport:
    """What became of a plugin."""

    name: str
    distribution: str = ""
    version: str = ""
    module: str = ""
    state: PluginState = PluginState.OK
    reasons: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """Taken by its import."""
    tasks: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)
    exporters: list[str] = field(default_factory=list)

    @property
    def is_bundled(self) -> bool:
        return self.distribution == OWN

    @property
    def notice(self) -> str | None:
        """One line for the user where there is something to say; None where all is well."""
        if not self.reasons or self.state is PluginState.DISABLED:
            return None
        return plain_line(f"Plugin {self.name}: {'; '.join(self.reasons)}")

    def fail(self, reason: str, state: PluginState = PluginState.FAILED) -> None:
        self.state = state
        self.reasons.append(reason)

    def warn(self, reason: str) -> None:
        if self.state is PluginState.OK:
            self.state = PluginState.WARNED
        self.reasons.append(reason)


@dataclass(frozen=True)
class Plugins:
    """All that plugins have brought."""

    tasks: dict[str, Task[Any, Any]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    """Name of a task -> the plugin or file it comes from."""
    readers: tuple[ImageReader, ...] = ()
    exporters: dict[str, Exporter] = field(default_factory=dict)
    reports: tuple[PluginReport, ...] = ()

    @property
    def notices(self) -> list[str]:
        return [report.notice for report in self.reports if report.notice]

    def task(self, name: str) -> Task[Any, Any]:
        """A task by its name.

        Raises:
            UsageError: there is none of this name; says which is near.
        """
        if name in self.tasks:
            return self.tasks[name]
        raise UsageError(
            f"There is no task {plain_line(name)}",
            did_you_mean(name, self.tasks).lstrip("; ").capitalize(),
            "glm4v-tui tasks lists them; glm4v-tui plugin list says what did not load.",
        )


def load_plugins(settings: PluginSettings, task_files: Iterable[Path] = ()) -> Plugins:
    """Load what the settings allow, and the user's own task files; install the image readers.

    Blocks on the disk and runs plugins' code: call it in a thread where a screen is up.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    found = _Found()
    for entry in find_plugins():
        report = _report_of(entry)
        found.reports.append(report)
        if not is_wanted(entry.name, settings):
            report.fail("switched off in the settings", PluginState.DISABLED)
            continue
        _load(manager, entry, report)
        if report.state in {PluginState.OK, PluginState.WARNED}:
            _collect(manager, entry.name, report, found)
    for path in task_files:
        found.reports.append(_load_file(path, found))
    plugins = found.plugins()
    install_readers(plugins.readers)
    return plugins


def load_alone(entry: EntryPoint) -> Plugins:
    """What one plugin brings when there is no other; nothing is installed."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    found, report = _Found(), _report_of(entry)
    found.reports.append(report)
    _load(manager, entry, report)
    _collect(manager, entry.name, report, found)
    return found.plugins()


def find_plugins() -> list[EntryPoint]:
    """The installed plugins, the bundled ones first; imports nothing of them."""
    unique = {(entry.name, entry.value): entry for entry in entry_points(group=hookspecs.PROJECT)}
    return sorted(unique.values(), key=lambda entry: (not is_bundled(entry), entry.name))


def is_bundled(entry: EntryPoint) -> bool:
    """Whether a plugin comes with this program."""
    return _distribution(entry) == OWN


def bundled_tasks(but: str = "") -> dict[str, str]:
    """The tasks of bundled plugins, which are loaded before all others: name -> plugin.

    Args:
        but: The name of a plugin to leave out.
    """
    bundled = [entry for entry in find_plugins() if is_bundled(entry) and entry.name != but]
    return {name: entry.name for entry in bundled for name in load_alone(entry).tasks}


class _Found:
    """What has been collected so far; the first of a name stays."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task[Any, Any]] = {}
        self.sources: dict[str, str] = {}
        self.readers: dict[str, ImageReader] = {}
        self.exporters: dict[str, Exporter] = {JSONL.name: JSONL}
        self.reports: list[PluginReport] = []

    def add_task(self, task: object, report: PluginReport) -> None:
        problems = check_task(task)
        if problems or not isinstance(task, Task):
            for problem in problems:
                report.warn(problem)
        elif task.name in self.tasks:
            report.warn(f"the task {task.name} comes from {self.sources[task.name]} already")
        else:
            self.tasks[task.name] = task
            self.sources[task.name] = report.name
            report.tasks.append(task.name)

    def add_reader(self, reader: object, report: PluginReport) -> None:
        if not isinstance(reader, ImageReader):
            report.warn(f"{type(reader).__name__} is no ImageReader")
        elif reader.name in self.readers:
            report.warn(f"there is a reader for {reader.name} already")
        else:
            self.readers[reader.name] = reader
            report.readers.append(reader.name)

    def add_exporter(self, exporter: object, report: PluginReport) -> None:
        if not isinstance(exporter, Exporter):
            report.warn(f"{type(exporter).__name__} is no Exporter")
        elif not exporter.suffix.startswith("."):
            report.warn(f"the suffix of {exporter.name} begins with no dot")
        elif exporter.name in self.exporters:
            report.warn(f"there is an exporter {exporter.name} already")
        else:
            self.exporters[exporter.name] = exporter
            report.exporters.append(exporter.name)

    def plugins(self) -> Plugins:
        return Plugins(
            self.tasks,
            self.sources,
            tuple(self.readers.values()),
            self.exporters,
            tuple(self.reports),
        )


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else ""


def _report_of(entry: EntryPoint) -> PluginReport:
    version = entry.dist.version if entry.dist else ""
    return PluginReport(entry.name, _distribution(entry), version, entry.value)


def is_wanted(name: str, settings: PluginSettings) -> bool:
    """Whether the settings allow a plugin to be loaded."""
    allowed: Collection[str] | None = settings.enabled
    return name not in settings.disabled and (allowed is None or name in allowed)


def _load(manager: pluggy.PluginManager, entry: EntryPoint, report: PluginReport) -> None:
    heavy = {name for name in _HEAVY if name in sys.modules}
    started = time.monotonic()
    try:
        with _silenced(report):
            plugin = entry.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code
        report.fail(_said(error))
    else:
        _register(manager, plugin, report)
    report.seconds = time.monotonic() - started
    if report.seconds > SLOW_S:
        report.warn(f"its import took {report.seconds:.1f} s")
    brought = [name for name in _HEAVY if name in sys.modules and name not in heavy]
    if brought:
        report.warn(f"it imports {', '.join(brought)} with itself; import them where they are used")


def _register(manager: pluggy.PluginManager, plugin: object, report: PluginReport) -> None:
    """Add a plugin whose hooks are those of the contract; any other leaves no trace."""
    if manager.has_plugin(report.name):
        report.fail(f"another plugin is called {report.name} already", PluginState.INCOMPATIBLE)
        return
    try:
        manager.register(plugin, report.name)
        manager.check_pending()
        _check_marks(plugin, report)
    except (pluggy.PluginValidationError, ValueError) as error:
        report.fail(_misfit(error), PluginState.INCOMPATIBLE)
    except Exception as error:  # noqa: BLE001 - its attributes are a stranger's code as well
        report.fail(_said(error))
    fits = report.state in {PluginState.OK, PluginState.WARNED}
    if not fits and manager.has_plugin(report.name):
        manager.unregister(name=report.name)


def _collect(manager: pluggy.PluginManager, name: str, report: PluginReport, found: _Found) -> None:
    """Call the plugin's hooks, each on its own."""
    taken: dict[str, Callable[[object, PluginReport], None]] = {
        "glm4v_tui_tasks": found.add_task,
        "glm4v_tui_image_readers": found.add_reader,
        "glm4v_tui_exporters": found.add_exporter,
    }
    for hook, take in taken.items():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            if implementation.plugin_name != name:
                continue
            try:
                with _silenced(report):
                    for offered in implementation.function() or ():
                        take(offered, report)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code
                report.fail(f"its {hook} failed: {_said(error)}")


def _misfit(error: Exception) -> str:
    """pluggy's word on hooks that do not fit, and which hook may have been meant."""
    text = _first_line(error)
    unknown = re.match(r"unknown hook '(\w+)'", text)
    return f"{unknown[0]}{did_you_mean(unknown[1], HOOKS)}" if unknown else text


def _check_marks(plugin: object, report: PluginReport) -> None:
    """Name what looks like a hook and is none: pluggy passes over functions without the mark."""
    for name in dir(plugin):
        looks = name.startswith(f"{hookspecs.PROJECT}_") and callable(getattr(plugin, name))
        if looks and not hasattr(getattr(plugin, name), f"{hookspecs.PROJECT}_impl"):
            report.warn(f"its {name} is not marked with @hookimpl, so it is no hook")


@contextlib.contextmanager
def _silenced(report: PluginReport) -> Iterator[None]:
    """Keep what a plugin prints off the screen and out of the output of commands."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            yield
    finally:
        if printed.getvalue().strip():
            report.warn(f'it prints while it is loaded: "{_line(printed.getvalue())[:60]}"')


def _load_file(path: Path, found: _Found) -> PluginReport:
    from glm4v_tui.tasks.toml_task import load_toml_task

    report = PluginReport(path.name, module=str(path))
    try:
        found.add_task(load_toml_task(path), report)
    except GlmError as error:
        report.fail(error.body or error.title)
    except Exception as error:  # noqa: BLE001 - one file must not keep the others out
        report.fail(_said(error))
    return report


def _said(error: BaseException) -> str:
    text = _first_line(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _first_line(error: BaseException) -> str:
    return _line(str(error))[:300]


def _line(text: str) -> str:
    return plain_line(" ".join(filter(None, map(str.strip, text.splitlines()))))
