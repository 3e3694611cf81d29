"""``--export [FORMAT:]FILE``: where a result goes besides standard output."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm4v_tui.errors import PluginError, UsageError
from glm4v_tui.paths import expanded
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from glm4v_tui.tasks.export import Exporter, Record


@dataclass(frozen=True)
class Export:
    """A format and a file."""

    exporter: Exporter
    path: Path

    def write(self, records: Sequence[Record]) -> None:
        """Write the file; what stood there stays when the exporter fails.

        Raises:
            UsageError: the file cannot be written.
            PluginError: the exporter is at fault.
        """
        data = _made(self.exporter, records)
        try:
            self.path.write_bytes(data)
        except OSError as error:
            raise _unwritable(self.path, error.strerror or str(error)) from error


def export_of(wanted: str | None, exporters: Mapping[str, Exporter]) -> Export | None:
    """``FORMAT:FILE``, or a FILE whose suffix tells the format; None where none is wanted.

    Raises:
        UsageError: the format is not known, or the file cannot be written there.
    """
    if wanted is None:
        return None
    exporter, name = _split(wanted, exporters)
    export = Export(exporter, expanded(name))
    _check_place(export.path)
    return export


def _split(wanted: str, exporters: Mapping[str, Exporter]) -> tuple[Exporter, str]:
    name, colon, file = wanted.partition(":")
    if colon and name in exporters:
        return exporters[name], file
    fits = [one for one in exporters.values() if wanted.lower().endswith(one.suffix.lower())]
    if fits:
        return max(fits, key=lambda one: len(one.suffix)), wanted
    formats = ", ".join(f"{one.name}:FILE ({one.title})" for one in exporters.values())
    raise UsageError(
        "The format of the export is not known", plain_line(wanted), f"Write {formats}."
    )


def _check_place(path: Path) -> None:
    """Before the model is loaded: a result that cannot be kept was asked for in vain."""
    if not path.name or path.is_dir():
        raise _unwritable(path, "it is a folder")
    if not path.parent.is_dir():
        raise _unwritable(path, "there is no such folder")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _unwritable(path, "no permission")


def _made(exporter: Exporter, records: Sequence[Record]) -> bytes:
    out = io.BytesIO()
    try:
        exporter.write(records, out)
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"The exporter {plain_line(exporter.name)} failed",
            f"{type(error).__name__}: {plain_line(str(error))[:300]}",
            "Tell its author, or export in another format.",
        ) from error
    return out.getvalue()


def _unwritable(path: Path, reason: str) -> UsageError:
    return UsageError(
        "The export cannot be written", f"{plain_line(str(path))}: {reason}", "Name another file."
    )
