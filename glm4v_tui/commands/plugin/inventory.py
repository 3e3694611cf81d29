"""``glm4v-tui plugin list``: every plugin, what it brings, and what is wrong with it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.commands.start import plugins_of, settings_with
from glm4v_tui.errors import SettingsError
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.plugin_report import PluginReport, PluginState
from glm4v_tui.tasks.probe import brings_in_words
from glm4v_tui.tasks.remembered import Remembered, missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REFILL = "glm4v-tui plugin install --remembered"


class PluginInfo(msgspec.Struct, frozen=True):
    """What ``--json`` prints of a plugin."""

    name: str
    version: str
    distribution: str
    """Empty for a task file."""
    bundled: bool
    state: PluginState
    reasons: tuple[str, ...]
    tasks: tuple[str, ...]
    readers: tuple[str, ...]
    exporters: tuple[str, ...]
    import_s: float
    source: str
    """The module, or the file."""


def run(*, as_json: bool) -> int:
    """Print the plugins; the exit code, which is 0 whatever their state."""
    infos = [_info(report) for report in plugins_of(settings_with()).reports]
    try:
        lost = missing([info.distribution for info in infos])
    except SettingsError as error:
        lost = []
        sys.stderr.write(f"{error}\n")
    if as_json:
        told = {"plugins": infos, "missing": lost, "refill": REFILL if lost else None}
        sys.stdout.write(f"{msgspec.json.encode(told).decode()}\n")
        return 0
    sys.stdout.writelines(f"{line}\n" for line in _lines(infos, lost))
    return 0


def _info(report: PluginReport) -> PluginInfo:
    return PluginInfo(
        report.name,
        report.version,
        report.distribution,
        report.is_bundled,
        report.state,
        tuple(report.reasons),
        tuple(report.tasks),
        tuple(report.readers),
        tuple(report.exporters),
        round(report.seconds, 4),
        report.module,
    )


def _lines(infos: Sequence[PluginInfo], lost: Sequence[Remembered]) -> Iterable[str]:
    rows = [("plugin", "version", "from", "state", "import", "brings"), *map(_row, infos)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    notes: list[tuple[str, ...]] = [(), *(info.reasons for info in infos)]
    for row, reasons in zip(rows, notes, strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
        yield from (f"    {plain_line(reason)}" for reason in reasons)
    for one in lost:
        yield plain_line(f"{one.name} {one.version} is missing; it was installed from {one.spec}")
    if lost:
        yield f"{REFILL} brings back what is missing."


def _row(info: PluginInfo) -> tuple[str, ...]:
    source = "bundled" if info.bundled else info.distribution or "tasks folder"
    is_loaded = info.import_s > 0
    row = (
        info.name,
        info.version,
        source,
        info.state.value,
        f"{info.import_s * 1000:.0f} ms" if is_loaded else "",
        brings_in_words(info.tasks, info.readers, info.exporters),
    )
    return tuple(map(plain_line, row))
