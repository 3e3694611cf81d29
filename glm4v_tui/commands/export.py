"""``glm4v-tui export``: the verdicts on images, in files of other programs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from glm4v_tui.commands.export_file import check_free, place_of, to_file
from glm4v_tui.commands.start import (
    check_engine,
    engine_for,
    existing_paths,
    language_of,
    model_of,
    plugins_of,
    sampling_of,
    settings_with,
)
from glm4v_tui.config import task_options
from glm4v_tui.errors import PluginError, UsageError
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.command import options_set

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glm4v_tui.config import Settings
    from glm4v_tui.store.database import Database
    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.tasks.export import Exporter
    from glm4v_tui.triage.export.rows import Answered, Rows
    from glm4v_tui.triage.queue import Queue

OWN_FORMATS = ("jsonl", "csv", "xmp", "folders")
"""Beside those of plugins."""
_NAMING = {
    "xmp": "XMP sidecars have the names of the files beside them.",
    "folders": "Links and copies have the names of the files they are of.",
}


@dataclass(frozen=True)
class ExportOptions:
    """The command line, as it was given."""

    paths: tuple[str, ...]
    task: str
    format: str
    out: str | None = None
    recursive: bool = False
    is_all: bool = False
    reviewer: str | None = None
    history: bool = False
    force: bool = False
    copies: bool = False
    rates: tuple[str, ...] = ()
    adobe_names: bool = False
    options: tuple[str, ...] = ()
    model: str | None = None
    precision: str | None = None
    device: str | None = None
    engine: str | None = None
    debug: bool = False


def run(options: ExportOptions) -> int:
    """Write what is wanted; the exit code.

    Raises:
        GlmError: the command line, the settings, the files or the database are wrong.
    """
    check_engine(options.engine, options.model, options.precision, options.device)
    settings = settings_with(
        model__checkpoint=options.model,
        model__precision=options.precision,
        model__device=options.device,
        model__engine=engine_for(options.engine, options.model, None, options.task),
    )
    plugins = plugins_of(settings)
    for notice in plugins.notices:
        sys.stderr.write(f"{notice}\n")
    task = plugins.task(options.task)
    _check(options, task, plugins.exporters)
    return _Exporting(options, settings, task, plugins.exporters).run()


def _check(options: ExportOptions, task: AnyTask, exporters: dict[str, Exporter]) -> None:
    """What contradicts itself, before any file is looked at."""
    name = options.format
    formats = [*OWN_FORMATS, *(one for one in sorted(exporters) if one not in OWN_FORMATS)]
    if name not in formats:
        raise UsageError(
            f"There is no format {plain_line(name)}", "", f"There are: {', '.join(formats)}."
        )
    if task.is_private and name in _NAMING:
        raise UsageError(
            f"{plain_line(task.title)} is private, and this format names its images",
            _NAMING[name],
            "Export jsonl or csv: they name images by their content (SHA-256) alone.",
        )
    if name == "xmp" and options.out is not None:
        raise UsageError("XMP sidecars lie beside their images", "", "Leave out -o.")
    if name == "folders" and options.out is None:
        raise UsageError("There is no folder to write to", "", "Name one with -o.")
    _check_history(options)
    if options.force and name in _NAMING:
        raise UsageError(
            "--force overwrites one file, and this format has many", "", "Leave it out."
        )
    if name not in _NAMING:
        check_free(options.out, force=options.force)
    if options.copies and name != "folders":
        raise UsageError("Only folders hold copies", "", "Leave out --copy.")
    if name != "xmp" and (options.rates or options.adobe_names):
        raise UsageError("Only XMP sidecars have ratings and names of Adobe's", "", "Leave it out.")


def _check_history(options: ExportOptions) -> None:
    if options.history and options.format not in ("jsonl", "csv"):
        raise UsageError(
            f"{plain_line(options.format)} has no room for a history", "", "Export jsonl or csv."
        )
    if options.history and options.is_all:
        raise UsageError(
            "--history and --all contradict each other",
            "A history has events, and of an image without a verdict there is none.",
            "Give one of them.",
        )


class _Exporting:
    """One export on its way."""

    def __init__(
        self,
        options: ExportOptions,
        settings: Settings,
        task: AnyTask,
        exporters: dict[str, Exporter],
    ) -> None:
        self._options = options
        self._settings = settings
        self._task = task
        self._exporters = exporters
        self._notices: list[str] = []

    def run(self) -> int:
        from glm4v_tui.store.database import Database
        from glm4v_tui.triage.queue import Queue

        options = self._options
        queue = Queue.of(existing_paths(options.paths), recursive=options.recursive)
        self._notices += queue.listing.notices
        database = Database(may_read_only=True)
        try:
            export = self._export_history if options.history else self._export_verdicts
            told = export(database, queue)
        finally:
            database.close()
        for notice in self._notices:
            sys.stderr.write(f"{notice}\n")
        sys.stderr.write(f"{told} exported.\n")
        return 0

    def _export_verdicts(self, database: Database, queue: Queue) -> str:
        from glm4v_tui.triage.export.rows import Rows

        options = self._options
        answers = self._answers(database, options.format)
        rows = Rows(database, self._task, queue, options.is_all, self._reviewer, answers)
        count = self._write(rows)
        self._notices += rows.notices
        if count > rows.images:
            return f"{_told(rows.images)} of {queue.total}, with {count} rows,"
        return f"{_told(count)} of {queue.total}"

    def _export_history(self, database: Database, queue: Queue) -> str:
        from glm4v_tui.triage.export.history import (
            History,
            write_history_csv,
            write_history_jsonl,
        )

        history = History(database, self._task, queue, self._reviewer)
        write = write_history_jsonl if self._options.format == "jsonl" else write_history_csv
        count = to_file(self._options.out, lambda out: write(history, out))
        self._notices += history.notices
        return "1 event" if count == 1 else f"{count} events"

    @property
    def _reviewer(self) -> str | None:
        name = self._options.reviewer
        return None if name is None else plain_line(name)

    def _write(self, rows: Rows) -> int:
        options, task = self._options, self._task
        match options.format:
            case "jsonl":
                from glm4v_tui.triage.export.tables import write_jsonl

                return to_file(options.out, lambda out: write_jsonl(rows, task, out))
            case "csv":
                from glm4v_tui.triage.export.tables import write_csv

                return to_file(options.out, lambda out: write_csv(rows, task, out))
            case "folders":
                from glm4v_tui.triage.export.folders import check_empty, write_folders
                from glm4v_tui.triage.export.one_each import one_each

                place = place_of(options.out or "")
                check_empty(place)
                return write_folders(one_each(rows), place, copies=options.copies)
            case "xmp":
                return self._sidecars(rows)
            case _:
                return self._by_plugin(rows)

    def _sidecars(self, rows: Rows) -> int:
        from glm4v_tui.triage.agreement import REJECTED
        from glm4v_tui.triage.export.one_each import one_each
        from glm4v_tui.triage.export.sidecars import Sidecars, rates_of

        labels = [*(label.name for label in self._task.labels), REJECTED]
        rates = rates_of(self._options.rates, labels)
        sidecars = Sidecars(self._task, rates, self._options.adobe_names, self._notices)
        return sidecars.write(one_each(rows))

    def _by_plugin(self, rows: Rows) -> int:
        from glm4v_tui.triage.export.one_each import one_each
        from glm4v_tui.triage.export.records import Records

        records = Records(self._task, self._notices)
        found = list(records.of(one_each(rows)))
        if records.without_result:
            self._notices.append(
                f"{_told(records.without_result)} without a result of this model under these"
                " settings; glm4v-tui batch asks for it."
            )
        exporter = self._exporters[self._options.format]
        return to_file(self._options.out, lambda out: _exported(exporter, found, out))

    def _answers(self, database: Database, format_: str) -> Callable[[str], Answered | None]:
        """The answers of the model that the settings name, asked as they say now."""
        from glm4v_tui.triage.export.rows import no_answer

        if format_ in _NAMING:
            return no_answer  # nothing of them is written
        from glm4v_tui.engine.scripted import Script, ScriptedEngine
        from glm4v_tui.triage.asking import Asker
        from glm4v_tui.triage.identity import model_key

        settings, task = self._settings, self._task
        options = options_set(
            task, task_options(task.name, task.options_type), self._options.options
        )
        nobody = ScriptedEngine(Script(()))  # only what is stored is looked at
        language, model = language_of(settings), model_key(model_of(settings))
        whole, labels = (
            Asker(
                *(nobody, database, task, options, language, model),
                sampling=sampling_of(settings),
                wants_result=wants_result,
            )
            for wants_result in (True, False)
        )
        return lambda digest: whole.known_by_digest(digest) or labels.known_by_digest(digest)


def _exported(exporter: Exporter, records: Sequence[object], out: BinaryIO) -> int:
    try:
        exporter.write(records, out)  # type: ignore[arg-type]
    except OSError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"The exporter {plain_line(exporter.name)} failed",
            f"{type(error).__name__}: {plain_line(str(error))[:300]}",
            "Tell its author, or export in another format.",
        ) from error
    return len(records)


def _told(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
