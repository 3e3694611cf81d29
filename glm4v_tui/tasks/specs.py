"""What is to be installed, as the user names it: a package, a folder, an archive or an address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm4v_tui.errors import GlmError, UsageError
from glm4v_tui.paths import expanded, is_folder, is_there
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.project import read_project

if TYPE_CHECKING:
    from pathlib import Path

_PACKAGE = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:[\[<>=!~@;(].*)?")
_ADDRESS = re.compile(r"[a-z0-9+]+://|git\+")
_DIRECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[.*\])?\s*@\s*[a-z+]+:")
"""``NAME @ ADDRESS`` (PEP 508)."""
_ARCHIVE = re.compile(r"(?P<wheel>.*\.whl)|.*(?:\.tar\.gz|\.zip|\.tgz)")


@dataclass(frozen=True)
class Spec:
    """One thing to install."""

    text: str
    """For the installer; a path absolutely."""
    what: str
    """In words, for the user."""
    name: str = ""
    """Of the distribution; empty where it cannot be told before it is installed."""
    is_editable: bool = False

    @property
    def arguments(self) -> list[str]:
        return ["-e", self.text] if self.is_editable else [self.text]


def read_spec(text: str, *, is_editable: bool = False) -> Spec:
    """Understand a SPEC.

    Raises:
        UsageError: it names nothing that could be installed.
    """
    text = text.strip()
    if text.startswith("-") or not text:
        raise UsageError(
            f"{plain_line(text)!r} names no plugin",
            "It would be an option of the installer.",
            "Give options to pip or uv by their environment variables: PIP_INDEX_URL=...",
        )
    if _ADDRESS.match(text):
        return Spec(text, f"what is at {plain_line(text)}", is_editable=is_editable)
    if is_editable or _looks_like_path(text):
        return _path_spec(text, is_editable)
    match = _PACKAGE.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{plain_line(text)!r} names no package",
            "",
            "Write NAME, NAME==VERSION, ./FOLDER, a wheel's file or git+https://...",
        )
    return Spec(text, f"{plain_line(text)}, from the package index", match[1])


def _looks_like_path(text: str) -> bool:
    """As pip sees it: a bare word is a package even where there is a folder of its name."""
    if _DIRECT.match(text):
        return False
    return text[:1] in ".~" or "/" in text or _ARCHIVE.fullmatch(text) is not None


def _path_spec(text: str, is_editable: bool) -> Spec:
    path = expanded(text).absolute()
    shown = plain_line(str(path))
    if not is_there(path):
        raise UsageError("There is no such file or folder", shown, "Check its name.")
    if is_folder(path):
        return Spec(str(path), f"the folder {shown}", _project_name(path), is_editable)
    match = _ARCHIVE.fullmatch(path.name)
    if match is None or is_editable:
        raise UsageError(
            "This cannot be installed",
            shown,
            "Name a project's folder or a wheel. A task's .toml file goes into the tasks folder.",
        )
    parts = path.name.split("-") if match["wheel"] else path.name.rsplit("-", 1)
    return Spec(str(path), f"the file {shown}", parts[0])


def _project_name(folder: Path) -> str:
    try:
        return read_project(folder).name
    except FileNotFoundError:
        if (folder / "setup.py").exists():
            return ""
        raise UsageError(
            "This folder is no project",
            f"{plain_line(str(folder))} has no pyproject.toml.",
            "glm4v-tui plugin new begins one.",
        ) from None
    except GlmError as error:
        raise UsageError("This project cannot be read", error.body, "Correct it.") from error
