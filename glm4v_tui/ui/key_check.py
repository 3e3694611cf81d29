"""Checks a keymap against every binding there is.

This imports all screens, so it runs after the first frame, in ``doctor`` and in tests. Which
widgets may stand on a screen is read from what the screen's module imports.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from textual.app import App
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

import glm4v_tui.ui as package
from glm4v_tui.toml_file import did_you_mean
from glm4v_tui.ui.key_names import key_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from textual.binding import Binding

Kind = type[DOMNode]


class Place(NamedTuple):
    """A class with bindings."""

    kind: Kind
    bindings: tuple[Binding, ...]
    """Its own and inherited ones, one for each key."""


class Clash(NamedTuple):
    key: str
    one: str
    """A binding's id, or what a widget of Textual does with the key."""
    other: str

    def __str__(self) -> str:
        return f"{key_label(self.key)} is given to {self.one} and to {self.other}"


class _Bound(NamedTuple):
    name: str
    has_id: bool
    is_priority: bool


def all_places() -> list[Place]:
    """Every class of this program that has bindings with ids."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    places = [Place(kind, _bindings_of(kind)) for kind in _ours(DOMNode)]
    return [place for place in places if any(binding.id for binding in place.bindings)]


def binding_ids(places: Iterable[Place]) -> dict[str, Binding]:
    """Every binding that a keymap can name."""
    return {binding.id: binding for place in places for binding in place.bindings if binding.id}


def check_keymap(keys: Mapping[str, str], places: list[Place] | None = None) -> list[str]:
    """Ids that nobody has, and keys that would do two things in one place.

    Args:
        keys: Binding id to keys, as in :class:`glm4v_tui.ui.keymap.KeymapFile`.
    """
    places = all_places() if places is None else places
    known = binding_ids(places)
    unknown = [
        f'keymap: there is no binding "{name}"{_near(name, known)}'
        for name in keys
        if name not in known
    ]
    meant = {(clash.one, clash.other) for clash in clashes(places, {})}
    new = [clash for clash in clashes(places, keys) if (clash.one, clash.other) not in meant]
    return unknown + [f"keymap: {clash}" for clash in sorted(new)]


def clashes(places: list[Place], keys: Mapping[str, str]) -> set[Clash]:
    """Keys with two bindings that can be in reach at once, of which one is not heard."""
    found: set[Clash] = set()
    effective = {place.kind: _by_key(place, keys) for place in places}
    for inner, outer in _together(places):
        for key in effective[inner].keys() & effective[outer].keys():
            for one, other in product(effective[inner][key], effective[outer][key]):
                if one.name != other.name and _is_clash(inner, outer, one, other):
                    found.add(Clash(key, *sorted((one.name, other.name))))
    return found


def _is_clash(inner: Kind, outer: Kind, one: _Bound, other: _Bound) -> bool:
    if issubclass(outer, App) and issubclass(inner, ModalScreen):
        return other.is_priority  # nothing else of the program is heard below a modal
    # an outer key with priority is meant to go before what a text field does with it
    return one.has_id or (other.has_id and not other.is_priority)


def _together(places: list[Place]) -> Iterator[tuple[Kind, Kind]]:
    """Pairs of classes, the inner one first, that are in reach at once (each with itself, too)."""
    kinds = [place.kind for place in places]
    apps = [kind for kind in kinds if issubclass(kind, App)]
    yield from ((kind, kind) for kind in kinds)
    for screen in (kind for kind in kinds if issubclass(kind, Screen)):
        widgets = [kind for kind in kinds if kind in _widgets_near(screen)]
        yield from ((widget, screen) for widget in widgets)
        yield from ((screen, app) for app in apps)
        if not issubclass(screen, ModalScreen):
            yield from ((widget, app) for widget in widgets for app in apps)


def _widgets_near(screen: Kind) -> set[Kind]:
    """The widgets that a screen's module imports, and those that their modules import."""
    found: set[Kind] = set()
    modules = [screen.__module__]
    for name in modules:
        for value in vars(sys.modules[name]).values():
            if isinstance(value, type) and issubclass(value, Widget) and _is_ours(value):
                found.add(value)
                if value.__module__ not in modules:
                    modules.append(value.__module__)
    return {kind for kind in found if not issubclass(kind, Screen)}


def _by_key(place: Place, keys: Mapping[str, str]) -> dict[str, list[_Bound]]:
    """Key to what it does under this keymap."""
    found: dict[str, list[_Bound]] = {}
    for binding in place.bindings:
        name = binding.id or f'"{binding.description}" of {place.kind.__name__}'
        bound = _Bound(name, bool(binding.id), binding.priority)
        for key in keys.get(name, binding.key).split(","):
            found.setdefault(key, []).append(bound)
    return found


def _bindings_of(kind: Kind) -> tuple[Binding, ...]:
    merged = kind._merged_bindings
    return tuple(binding for _, binding in merged) if merged is not None else ()


def _ours(kind: Kind) -> Iterator[Kind]:
    for child in kind.__subclasses__():
        if _is_ours(child):
            yield child
        yield from _ours(child)


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith(f"{package.__name__}.")


def _near(name: str, known: Iterable[str]) -> str:
    """The id that may be meant: the same word elsewhere (``app.help`` for ``chat.help``) first."""
    word = name.rpartition(".")[2]
    same = [one for one in known if one.rpartition(".")[2] == word]
    return f'; did you mean "{same[0]}"?' if same else did_you_mean(name, known)
