"""The settings file, and the folders that this program writes to."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING

from glm4v_tui import paths
from glm4v_tui.doctor.finding import SETTINGS, Finding, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glm4v_tui.errors import SettingsError

GIB = 1 << 30
_LITTLE_DISK = GIB // 10


def check_settings(error: SettingsError | None) -> Iterator[Finding]:
    """The settings file, by what reading it came to."""
    file = paths.config_file()
    if error is not None:
        yield Finding(SETTINGS, file.name, Status.FAIL, error.body, error.remedy)
    elif file.exists():
        yield Finding(SETTINGS, file.name, Status.OK, str(file))
    else:
        yield Finding(SETTINGS, file.name, Status.OK, f"none; it would be {file}")


def check_places() -> Iterator[Finding]:
    """Whether what is remembered can be written. Nothing is left behind, no folder is made."""
    folder = paths.state_dir()
    there = paths.existing_parent(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=there):
            pass
    except OSError as error:
        yield Finding(
            "files",
            "state folder",
            Status.WARN,
            f"{folder} cannot be written ({error.strerror}): nothing is remembered or logged",
            f"Make {there} writable, or set GLM4V_TUI_HOME to another folder.",
        )
        return
    free = shutil.disk_usage(there).free
    told = f"{folder}, {free / GIB:.1f} GiB free"
    if free < _LITTLE_DISK:
        yield Finding("files", "state folder", Status.WARN, told, "Free some space on this disk.")
    else:
        yield Finding("files", "state folder", Status.OK, told)
