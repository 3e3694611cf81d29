"""Which plugins were installed by this program, so that a new environment can have them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui import paths
from glm4v_tui.errors import SettingsError
from glm4v_tui.plain import plain_line
from glm4v_tui.state import replace_file
from glm4v_tui.tasks.project import normalized
from glm4v_tui.toml_file import read_toml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_HEAD = "# Written by glm4v-tui plugin install, for glm4v-tui plugin install --remembered.\n\n"


class Remembered(msgspec.Struct, frozen=True, omit_defaults=True):
    """A distribution that was installed."""

    spec: str
    """As it was given; a path absolutely."""
    name: str
    version: str = ""
    editable: bool = False


class _File(msgspec.Struct, frozen=True):
    plugins: tuple[Remembered, ...] = ()


def read_remembered() -> tuple[Remembered, ...]:
    """What is remembered, in the order of the installations.

    Raises:
        SettingsError: the file cannot be read; only the user can decide to lose it.
    """
    path = paths.remembered_plugins_file()
    try:
        return msgspec.convert(read_toml(path).data, _File).plugins
    except FileNotFoundError:
        return ()
    except (SettingsError, msgspec.ValidationError) as error:
        reason = error.body if isinstance(error, SettingsError) else f"{path}: {error}"
        raise SettingsError(
            "The list of installed plugins cannot be read",
            plain_line(reason),
            "Correct or delete the file; without it nothing but the list is lost.",
        ) from error


def remember(installed: Iterable[Remembered], forget: Collection[str] = ()) -> None:
    """Add what was installed, the newest word on each distribution last, and forget others.

    Args:
        forget: Names of distributions.

    Raises:
        SettingsError: the file cannot be read or written.
    """
    new = tuple(installed)
    gone = {normalized(one.name) for one in new} | set(map(normalized, forget))
    known = read_remembered()
    kept = (*(one for one in known if normalized(one.name) not in gone), *new)
    if kept != known:
        _write(kept)


def missing(names: Collection[str]) -> list[Remembered]:
    """What is remembered and not among the distributions ``names``.

    Raises:
        SettingsError: the file cannot be read.
    """
    there = set(map(normalized, names))
    return [one for one in read_remembered() if normalized(one.name) not in there]


def _write(plugins: tuple[Remembered, ...]) -> None:
    import tomli_w

    path = paths.remembered_plugins_file()
    text = _HEAD + tomli_w.dumps({"plugins": [msgspec.to_builtins(one) for one in plugins]})
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise SettingsError(
            "The list of installed plugins cannot be written",
            f"{plain_line(str(path))}: {error.strerror}",
            "What was installed is there; a new environment is not refilled with it.",
        ) from error
