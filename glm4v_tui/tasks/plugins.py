"""Finds plugins, loads those that are wanted, and keeps each one's faults to itself.

The names of plugins are read from the metadata of installed distributions; nothing of a plugin is
imported before the settings allow it. A plugin that fails, is slow or does not fit is named once,
with the reason, and the others go on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from glm4v_tui.errors import GlmError, UsageError
from glm4v_tui.images import ImageReader, install_readers
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks import hookspecs
from glm4v_tui.tasks.checking import check_task
from glm4v_tui.tasks.export import JSONL, Exporter
from glm4v_tui.tasks.plugin_loading import collect, load_plugin, new_manager, said_by
from glm4v_tui.tasks.plugin_report import OWN, PluginReport, PluginState
from glm4v_tui.tasks.task import Task
from glm4v_tui.toml_file import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from glm4v_tui.config import PluginSettings


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
    manager, found = new_manager(), _Found()
    for entry in find_plugins():
        report = _report_of(entry)
        found.reports.append(report)
        if not is_wanted(entry.name, settings):
            report.fail("switched off in the settings", PluginState.DISABLED)
            continue
        load_plugin(manager, entry, report)
        if report.state in {PluginState.OK, PluginState.WARNED}:
            collect(manager, entry.name, report, found.takers)
    for path in task_files:
        found.reports.append(_load_file(path, found))
    plugins = found.plugins()
    install_readers(plugins.readers)
    return plugins


def load_alone(entry: EntryPoint) -> Plugins:
    """What one plugin brings when there is no other; nothing is installed."""
    manager, found, report = new_manager(), _Found(), _report_of(entry)
    found.reports.append(report)
    load_plugin(manager, entry, report)
    collect(manager, entry.name, report, found.takers)
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

    @property
    def takers(self) -> dict[str, Callable[[object, PluginReport], None]]:
        """Name of a hook -> what takes the things that it offers."""
        return {
            "glm4v_tui_tasks": self.add_task,
            "glm4v_tui_image_readers": self.add_reader,
            "glm4v_tui_exporters": self.add_exporter,
        }

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


def _load_file(path: Path, found: _Found) -> PluginReport:
    from glm4v_tui.tasks.toml_task import load_toml_task

    report = PluginReport(path.name, module=str(path))
    try:
        found.add_task(load_toml_task(path), report)
    except GlmError as error:
        report.fail(error.body or error.title)
    except Exception as error:  # noqa: BLE001 - one file must not keep the others out
        report.fail(said_by(error))
    return report
