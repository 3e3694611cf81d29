"""What the program remembers by itself: the last folder, a theme chosen live, the last models.

None of it matters enough to stop for: what cannot be read has its default, what cannot be written
is given up, and the reason comes back as a warning for the user to see once.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import msgspec

from glm4v_tui import paths
from glm4v_tui.plain import plain_line


class RecentModel(msgspec.Struct, frozen=True):
    """A model that was loaded, and how."""

    model: str
    """A folder or a hub id."""
    precision: str = "auto"
    device: str = "auto"


class State(msgspec.Struct, frozen=True):
    """The content of ``state.toml``."""

    last_folder: str = ""
    """Where the picker was left."""
    theme: str = ""
    """The theme chosen in the program."""
    theme_over: str = ""
    """The theme in the settings at that time."""
    recent_models: tuple[RecentModel, ...] = ()
    """The last one first."""

    def theme_for(self, configured: str) -> str:
        """The theme to use: the chosen one, until the user writes another one in the settings."""
        return self.theme if self.theme and self.theme_over == configured else configured


def load_state(path: Path | None = None) -> tuple[State, str | None]:
    """Read the state, or its defaults and the reason."""
    file = path or paths.state_file()
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return State(), None
    except OSError as error:
        return State(), warning(file, "read", error)
    return _decode(file, data)


def save_state(state: State, path: Path | None = None) -> str | None:
    """Replace the file whole, so that nobody ever reads half of it; the reason if that fails."""
    import tomli_w  # late: most starts write nothing

    file = path or paths.state_file()
    try:
        replace_file(file, tomli_w.dumps(msgspec.to_builtins(state)).encode())
    except (OSError, UnicodeError) as error:
        return warning(file, "written", error)
    return None


def update_state(path: Path | None = None, **changes: object) -> str | None:
    """Change some fields and keep what another instance may have written to the others."""
    state, _ = load_state(path)
    changed = msgspec.structs.replace(state, **changes)
    return None if changed == state else save_state(changed, path)


def warning(path: Path, done: str, error: Exception) -> str:
    """One line about a file that could not be ``done`` ("read", "written")."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return plain_line(f"{path} could not be {done}: {reason}")


def _decode(path: Path, data: bytes) -> tuple[State, str | None]:
    """Field by field: one wrong value costs that value only."""
    import tomllib

    try:
        values = tomllib.loads(data.decode())
    except ValueError as error:  # not TOML, or not UTF-8
        return State(), warning(path, "read", error)
    good = {}
    for field in msgspec.structs.fields(State):
        with contextlib.suppress(KeyError, msgspec.ValidationError):
            good[field.name] = msgspec.convert(values[field.name], field.type)
    return State(**good), None


def replace_file(path: Path, data: bytes) -> None:
    """Write a file of the program's own whole, or not at all.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
