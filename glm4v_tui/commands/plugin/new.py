"""``glm4v-tui plugin new``: the beginning of a plugin, complete and working."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm4v_tui import paths
from glm4v_tui.errors import UsageError
from glm4v_tui.paths import expanded
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.plugins import find_plugins
from glm4v_tui.tasks.scaffold import Names, names_of, project_files, task_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class NewOptions:
    """The command line, as it was given."""

    name: str
    folder: str | None = None
    as_toml: bool = False
    force: bool = False


def run(options: NewOptions) -> int:
    """Write the files and say what to do next; the exit code.

    Raises:
        UsageError: the name cannot be used, or something would be overwritten.
    """
    names = names_of(options.name)
    taken = {entry.name: entry for entry in find_plugins()}.get(names.name)
    if taken is not None and not options.force:
        raise UsageError(
            f"There is a plugin {names.name} already",
            f"It comes from {taken.dist.name if taken.dist else taken.value}.",
            "Take another name; with --force the files are written all the same.",
        )
    return _new_file(names, options) if options.as_toml else _new_project(names, options)


def _new_project(names: Names, options: NewOptions) -> int:
    folder = expanded(options.folder or ".") / names.distribution
    files = project_files(names)
    _write({folder / place: text for place, text in files.items()}, options)
    shown = plain_line(shlex.quote(str(folder)))
    _say(
        f"Wrote {shown}:",
        *(f"  {place}" for place in files),
        "",
        f"Edit {names.module}/__init__.py, then:",
        f"  glm4v-tui plugin check {shown}",
        f"  glm4v-tui plugin install -e {shown}",
        f"  glm4v-tui ask IMAGE --task {names.name} --json",
    )
    return 0


def _new_file(names: Names, options: NewOptions) -> int:
    folder = expanded(options.folder) if options.folder else paths.user_tasks_dir()
    file = folder / f"{names.name}.toml"
    _write({file: task_file(names)}, options)
    shown = plain_line(shlex.quote(str(file)))
    _say(f"Wrote {shown}", "", "Edit it, then:", f"  glm4v-tui plugin check {shown}")
    if file.parent.resolve() != paths.user_tasks_dir().resolve():
        _say(f"  cp {shown} {shlex.quote(str(paths.user_tasks_dir()))}/")
    _say(f"  glm4v-tui ask IMAGE --task {names.name} --json")
    return 0


def _write(files: Mapping[Path, str], options: NewOptions) -> None:
    there = [file for file in files if file.exists() or file.is_symlink()]
    if there and not options.force:
        raise UsageError(
            "Something is there already",
            "\n".join(plain_line(str(file)) for file in there),
            "Nothing was written. --dir names another folder; --force overwrites these files.",
        )
    for file, text in files.items():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(
                "A file cannot be written",
                f"{plain_line(str(file))}: {error.strerror}",
                "--dir names another folder.",
            ) from error


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
