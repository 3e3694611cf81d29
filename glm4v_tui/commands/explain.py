"""``glm4v-tui doctor --explain``: what a log or a traceback is about, and what to do."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from glm4v_tui import paths
from glm4v_tui.commands.batch_progress import columns
from glm4v_tui.diagnosis import Diagnosis, diagnose
from glm4v_tui.errors import UsageError
from glm4v_tui.plain import plain_line, plain_text

if TYPE_CHECKING:
    from typing import BinaryIO

_MOST_BYTES = 4 << 20
"""The end of a log: what happened last matters."""
_NOTHING = (
    "Nothing in it is known to this program.\n"
    "-> Look for the last line that names an error; glm4v-tui doctor checks this machine."
)


class ExplainReport(msgspec.Struct, frozen=True):
    """What ``doctor --explain --json`` prints."""

    source: str
    found: tuple[Diagnosis, ...]


def run(source: str, *, as_json: bool) -> int:
    """Print what is known about a text; 0 when something is, else 1.

    Args:
        source: A file, or ``-`` for standard input.

    Raises:
        UsageError: it cannot be read.
    """
    report = ExplainReport(source, diagnose(plain_text(_read(source))))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        click.echo("\n\n".join(map(_words, report.found)) or _NOTHING)
    return 0 if report.found else 1


def newest_log() -> str:
    """The log that the model's process wrote last.

    Raises:
        UsageError: there is none.
    """
    logs = sorted(paths.log_dir().glob("worker-*.log"), key=lambda file: file.stat().st_mtime)
    if not logs:
        raise UsageError(
            "There is no log yet",
            f"{paths.log_dir()} holds no worker-*.log.",
            "Name a file: glm4v-tui doctor --explain FILE",
        )
    click.echo(f"Log: {plain_line(str(logs[-1]))}", err=True)
    return str(logs[-1])


def _read(source: str) -> str:
    if source == "-":
        if sys.stdin.isatty():
            click.echo("Paste the text, then press Ctrl+D on a line of its own.", err=True)
        return sys.stdin.buffer.read().decode(errors="replace")
    try:
        with Path(source).open("rb") as file:
            return _end_of(file).decode(errors="replace")
    except OSError as error:
        raise UsageError(
            "This file cannot be read", f"{source}: {error.strerror}", "Check its name."
        ) from error


def _end_of(file: BinaryIO) -> bytes:
    size = file.seek(0, 2)
    file.seek(max(0, size - _MOST_BYTES))
    return file.read()


def _words(found: Diagnosis) -> str:
    times = f", {found.times} times" if found.times > 1 else ""
    return "\n".join(
        (
            found.title,
            _wrapped(f"   line {found.line}{times}: {plain_line(found.said)[:200]}"),
            _wrapped(f"   {found.meaning}"),
            _wrapped(f"-> {found.remedy}"),
        )
    )


def _wrapped(text: str) -> str:
    """At words, in a terminal; in a pipe a line stays a line."""
    if not sys.stdout.isatty():
        return text
    width = max(20, columns(sys.stdout) - 1)
    return textwrap.fill(text, width, subsequent_indent="   ", break_on_hyphens=False)
