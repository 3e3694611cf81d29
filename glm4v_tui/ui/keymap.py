"""Keys: presets to start from, and the user's ``keymap.toml`` over them.

The file gives keys to bindings by their ids, as a text with commas or as a list::

    "chat.attach" = "ctrl+t"

    [picker]
    mark = ["space", "insert"]

A key given here is taken away from the binding of the same place that had it by default. Nothing
in the file stops the program: what is wrong is left out and comes back as a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui import paths
from glm4v_tui.errors import SettingsError
from glm4v_tui.toml_file import Problem, TomlFile, did_you_mean, problem_line, read_toml
from glm4v_tui.ui.key_names import normalize_key, why_not_plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PRESETS: dict[str, dict[str, str]] = {
    "default": {},
    "vim": {
        "chat.page_up": "pageup,ctrl+b",
        "chat.page_down": "pagedown,ctrl+f",
        "chat.search": "ctrl+underscore,alt+f",
    },
    "emacs": {
        "chat.stop": "escape,ctrl+g",
        "chat.search": "ctrl+s",
        "chat.new": "ctrl+t",
        "chat.page_up": "pageup,alt+v",
        "chat.page_down": "pagedown,ctrl+v",
        "composer.earlier": "up,alt+p",
        "composer.later": "down,alt+n",
        "search.close": "escape,ctrl+g",
        "search.previous": "up,shift+enter,ctrl+r",
        "model.cancel": "escape,f4,ctrl+g",
        "tasks.cancel": "escape,f7,ctrl+g",
        "help.close": "escape,f1,ctrl+g",
        "picker.close": "escape,ctrl+g",
        "picker.down": "down,j,ctrl+n",
        "picker.filter": "slash,ctrl+s",
        "picker.page_down": "pagedown,ctrl+v",
        "picker.page_up": "pageup,alt+v",
        "viewer.leave": "escape,q,ctrl+g",
    },
}
"""Binding id to keys, for what differs from the keys in the code."""

TRIAGE_PRESETS: dict[str, dict[str, str]] = {
    "prodigy": {},
    "lightroom": {
        "triage.accept": "p",
        "triage.previous": "left,pageup",
        "triage.undo": "u,backspace,ctrl+z",
    },
}
"""The same for the keys of a review, which have conventions of their own."""


class KeymapFile(msgspec.Struct, frozen=True):
    """Keys by binding id, and what was wrong on the way to them."""

    keys: dict[str, str]
    """As ``App.set_keymap`` takes them: normalized names, separated by commas."""
    own: tuple[str, ...] = ()
    """The ids that the user's file changes."""
    warnings: tuple[str, ...] = ()


def load_keymap(
    preset: str = "default", path: Path | None = None, *, triage: str = "prodigy"
) -> KeymapFile:
    """The presets' keys, with those of the user's file over them.

    Ids are not checked here, because that needs every screen: see :mod:`glm4v_tui.ui.key_check`.
    """
    warnings: list[str] = []
    if preset not in PRESETS:
        hint = did_you_mean(preset, PRESETS)
        warnings.append(f'There is no keymap "{preset}"{hint} (interface.keymap)')
    own, wrong = _user_keys(path or paths.keymap_file())
    given = PRESETS.get(preset, {}) | TRIAGE_PRESETS.get(triage, {})
    return KeymapFile(given | own, tuple(own), (*warnings, *wrong))


def _user_keys(path: Path) -> tuple[dict[str, str], list[str]]:
    try:
        file = read_toml(path)
    except FileNotFoundError:
        return {}, []
    except SettingsError as error:
        return {}, [error.body]
    keys: dict[str, str] = {}
    problems: list[Problem] = []
    for place, value in _bindings(file.data):
        if written := _as_list(value):
            keys[".".join(place)] = _read_keys(file, place, written, problems)
        else:
            problems.append(file.problem(place, "expected a key such as ctrl+t, or a list of them"))
    return {id_: key for id_, key in keys.items() if key}, [
        problem_line(path, problem) for problem in problems
    ]


def _bindings(
    data: Mapping[str, Any], at: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Where each value stands: ``a.b``, ``"a.b"`` and ``[a] b`` come to the same id."""
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _bindings(value, (*at, key))
        else:
            yield (*at, key), value


def _as_list(value: Any) -> list[str]:
    """The keys as they were written; none when the value is of a wrong type."""
    if isinstance(value, str):
        parts = [","] if value.strip() == "," else value.split(",")
        return [part for part in parts if part.strip()]
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return value
    return []


def _read_keys(
    file: TomlFile, place: tuple[str, ...], written: list[str], problems: list[Problem]
) -> str:
    """The valid ones of these keys, normalized."""
    keys: list[str] = []
    for name in written:
        try:
            keys.append(normalize_key(name))
        except ValueError as error:
            problems.append(file.problem(place, str(error)))
    reasons = [why_not_plain(key) for key in keys]
    if keys and all(reasons):  # with one key that arrives the binding is in reach
        problems.append(file.problem(place, f"may not arrive: {reasons[0]}"))
    return ",".join(keys)
