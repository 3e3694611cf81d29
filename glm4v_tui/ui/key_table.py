"""Which keys do what on a screen right now, read from the bindings themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from textual.app import App
from textual.screen import Screen
from textual.widgets import Input, TextArea

from glm4v_tui.ui.key_names import key_label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.binding import Binding
    from textual.dom import DOMNode

_TITLES = {"app": "Everywhere"}
EDITING = "Editing text"
OTHER = "Also"


class KeyRow(NamedTuple):
    keys: str
    """``Ctrl+O, F2``"""
    description: str
    tooltip: str


class KeyGroup(NamedTuple):
    title: str
    rows: list[KeyRow]


class _Found(NamedTuple):
    rank: int
    title: str
    name: str
    """The binding's id, or its action where it has none."""
    key: str
    binding: Binding


def key_groups(screen: Screen[Any]) -> list[KeyGroup]:
    """All bindings that the screen and its widgets have, under the user's keymap.

    The screen's own come first, then those of the widget in focus, of the other widgets, of the
    program, and last what Textual's widgets bring with them.
    """
    groups: dict[str, dict[str, list[_Found]]] = {}
    for found in sorted(_all(screen), key=lambda found: found.rank):
        groups.setdefault(found.title, {}).setdefault(found.name, []).append(found)
    return [
        KeyGroup(title, [_row(same) for same in rows.values()]) for title, rows in groups.items()
    ]


def groups_elsewhere(app: App[Any], shown: list[KeyGroup]) -> list[KeyGroup]:
    """The bindings of this program's other screens and widgets, under the user's keymap.

    Imports every screen: call it when somebody wants to read them.
    """
    from glm4v_tui.ui.key_check import all_places, binding_ids

    titles = {group.title for group in shown}
    groups: dict[str, list[KeyRow]] = {}
    for name, binding in binding_ids(all_places()).items():
        title = _title_of(name)
        if title not in titles and binding.description:
            keys = app._keymap.get(name, binding.key).split(",")
            row = KeyRow(", ".join(map(key_label, keys)), binding.description, binding.tooltip)
            groups.setdefault(title, []).append(row)
    return [KeyGroup(title, rows) for title, rows in groups.items()]


def first_key(screen: Screen[Any], binding_id: str) -> str:
    """The first key of one of the screen's bindings, to be named in a text; empty without one."""
    return next((key_label(found.key) for found in _all(screen) if found.name == binding_id), "")


def filter_groups(groups: list[KeyGroup], text: str) -> list[KeyGroup]:
    """The rows in which every word of ``text`` occurs, in any letter case."""
    words = text.casefold().split()
    kept = [
        KeyGroup(title, [row for row in rows if _has(f"{title} {' '.join(row)}".casefold(), words)])
        for title, rows in groups
    ]
    return [group for group in kept if group.rows]


def _has(text: str, words: list[str]) -> bool:
    return all(word in text for word in words)


def _all(screen: Screen[Any]) -> Iterator[_Found]:
    """The bindings of the nodes in reach, and of one widget of each other kind on the screen.

    ``Screen.active_bindings`` leaves out letters while text is being typed, and what widgets
    without focus have; a reader wants to know of both.
    """
    nodes = {type(node): node for node, _ in reversed(screen._modal_binding_chain)}
    for widget in screen.query("*"):
        if widget.display and widget.focusable:
            nodes.setdefault(type(widget), widget)
    for node in nodes.values():
        bindings = node._bindings.copy()
        bindings.apply_keymap(screen.app._keymap)
        for key, binding in bindings:
            if screen.app._check_action_state(binding.action, node) is not False:
                yield from _found(screen, node, key, binding)


def _found(screen: Screen[Any], node: DOMNode, key: str, binding: Binding) -> Iterator[_Found]:
    if binding.system or not binding.description:
        return
    if binding.id:
        title = _title_of(binding.id)
        rank = 3 if binding.id.startswith("app.") else _rank(screen, node)
    elif isinstance(node, App):
        title, rank = _TITLES["app"], 3
    else:
        title, rank = (EDITING, 4) if isinstance(node, Input | TextArea) else (OTHER, 5)
    yield _Found(rank, title, binding.id or binding.action, key, binding)


def _title_of(binding_id: str) -> str:
    prefix = binding_id.partition(".")[0]
    return _TITLES.get(prefix, prefix.replace("_", " ").capitalize())


def _rank(screen: Screen[Any], node: DOMNode) -> int:
    if isinstance(node, Screen):
        return 0
    return 1 if node is screen.focused else 2


def _row(same: list[_Found]) -> KeyRow:
    keys = dict.fromkeys(key_label(found.key) for found in same)
    binding = same[0].binding
    return KeyRow(", ".join(keys), binding.description, binding.tooltip)
