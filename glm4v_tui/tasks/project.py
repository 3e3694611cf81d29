"""A plugin's project folder, as far as it can be read without running anything of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from glm4v_tui.tasks import hookspecs
from glm4v_tui.tasks.probe import Installed
from glm4v_tui.toml_file import Problem, did_you_mean, problem_line, read_toml

if TYPE_CHECKING:
    from pathlib import Path

    from glm4v_tui.toml_file import TomlFile

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?")


@dataclass(frozen=True)
class Project:
    """What ``pyproject.toml`` says of a plugin, and what is wrong with that."""

    folder: Path
    name: str
    version: str
    plugins: tuple[Installed, ...]
    faults: tuple[str, ...]
    hints: tuple[str, ...]

    @property
    def folders(self) -> tuple[str, ...]:
        """Where its modules are."""
        places = (self.folder / "src", self.folder)
        return tuple(str(place.absolute()) for place in places if place.is_dir())


def normalized(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_project(folder: Path) -> Project:
    """Read ``pyproject.toml``.

    Raises:
        SettingsError: it is not TOML; with the line.
        FileNotFoundError: there is none.
    """
    file = read_toml(folder / "pyproject.toml")
    head = _table(file.data, "project")
    faults: list[Problem] = []
    hints: list[Problem] = []
    if not isinstance(head.get("name"), str):
        faults.append(Problem("project.name", "missing"))
    if "build-system" not in file.data:
        hints.append(Problem("build-system", "missing: installers take an old setuptools then"))
    _check_dependency(file, head, hints)
    plugins = _plugins(file, head, faults)
    return Project(
        folder,
        str(head.get("name", "")),
        str(head.get("version", "")),
        plugins,
        tuple(problem_line(file.path, problem) for problem in faults),
        tuple(problem_line(file.path, problem) for problem in hints),
    )


def _plugins(file: TomlFile, head: dict[str, Any], faults: list[Problem]) -> tuple[Installed, ...]:
    groups = _table(head, "entry-points")
    entries = _table(groups, hookspecs.PROJECT)
    at = ("project", "entry-points", hookspecs.PROJECT)
    if not entries:
        near = did_you_mean(hookspecs.PROJECT, groups) if groups else ""
        text = 'no plugin is named here: NAME = "MODULE"'
        if near.startswith("; did"):
            other = near.split('"')[1]
            text = f"missing; the group is {hookspecs.PROJECT}, not {other}"
        faults.append(Problem(".".join(at), text, file.line_of(("project", "entry-points"))))
    found = []
    for name, value in entries.items():
        if not isinstance(value, str) or not _MODULE.fullmatch(value.strip()):
            faults.append(file.problem((*at, name), "expected the name of a module"))
        elif not _is_there(file.path.parent, re.split(r"[.:]", value.strip())[0]):
            text = f"there is no module {value.strip()}, neither here nor in src"
            faults.append(file.problem((*at, name), text))
        else:
            version = str(head.get("version", ""))
            found.append(Installed(name, value.strip(), str(head.get("name", "")), version))
    return tuple(found)


def _is_there(folder: Path, module: str) -> bool:
    """Whether a module is in the project, or installed: a build may place it anywhere."""
    places = [
        place / name for place in (folder, folder / "src") for name in (module, f"{module}.py")
    ]
    return any(place.exists() for place in places) or find_spec(module) is not None


def _check_dependency(file: TomlFile, head: dict[str, Any], hints: list[Problem]) -> None:
    needed = head.get("dependencies", [])
    names = [match[1] for one in needed if (match := _REQUIREMENT.match(str(one)))]
    if "glm4v-tui" not in map(normalized, names):
        hints.append(file.problem(("project", "dependencies"), "glm4v-tui is not among them"))


def _table(data: dict[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key, {})
    return found if isinstance(found, dict) else {}
