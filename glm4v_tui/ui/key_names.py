"""Names of keys: as users write them, as Textual wants them, as they are shown.

A plain terminal sends bytes, and several keys send the same ones; such keys arrive only where
the terminal speaks the kitty keyboard protocol.
"""

from __future__ import annotations

import contextlib
import unicodedata

from textual._keyboard_protocol import FUNCTIONAL_KEYS
from textual.keys import KEY_TO_UNICODE_NAME, REPLACED_KEYS, _character_to_key, format_key

from glm4v_tui.toml_file import did_you_mean

_MODIFIERS = ("alt", "ctrl", "hyper", "meta", "shift", "super")
_SAME = {
    "control": "ctrl",
    "c": "ctrl",
    "option": "alt",
    "opt": "alt",
    "m": "alt",
    "cmd": "super",
    "command": "super",
    "win": "super",
    "return": "enter",
    "esc": "escape",
    "pgup": "pageup",
    "page_up": "pageup",
    "pgdn": "pagedown",
    "pgdown": "pagedown",
    "page_down": "pagedown",
    "del": "delete",
    "ins": "insert",
    "bs": "backspace",
}
"""Other people's names for the same keys."""

_NAMED = {*FUNCTIONAL_KEYS.values(), "space", *KEY_TO_UNICODE_NAME, *REPLACED_KEYS, "comma", "tab"}
_LABELS = {
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "escape": "Esc",
    "delete": "Del",
    "insert": "Ins",
    "backspace": "Backspace",
    "enter": "Enter",
}
_CTRL_TWINS = {
    "i": "tab",
    "m": "enter",
    "h": "backspace",
    "left_square_bracket": "escape",
}
_CTRL_MARKS = {"backslash", "right_square_bracket", "circumflex_accent", "underscore"}
_WITH_MODIFIERS = {"up", "down", "left", "right", "home", "end", "insert", "delete", "pageup"}
_WITH_MODIFIERS |= {"pagedown", *(f"f{number}" for number in range(1, 13))}
"""Keys that a plain terminal sends with all modifiers."""


def normalize_key(written: str) -> str:
    """The name that Textual uses: ``Ctrl+Shift+PgUp`` is ``ctrl+shift+pageup``, ``?`` is
    ``question_mark``.

    Raises:
        ValueError: no such key; the text says what is wrong with it.
    """
    modifiers, base = _split(written.strip())
    if unknown := [name for name in modifiers if name not in _MODIFIERS]:
        raise ValueError(f'unknown modifier "{unknown[0]}"{did_you_mean(unknown[0], _MODIFIERS)}')
    if len(base) == 1 and base.isalpha():
        base, modifiers = _letter(base, modifiers)
    return "+".join([*sorted(set(modifiers)), base])


def why_not_plain(key: str) -> str:
    """Why a plain terminal cannot send this key (normalized); empty when it can."""
    *modifiers, base = key.split("+")
    held = set(modifiers)
    if held & {"super", "hyper", "meta"}:
        return f"a plain terminal does not send {key_label(key)}"
    if "ctrl" in held and base in _CTRL_TWINS:
        return f"a plain terminal sends {key_label(key)} as {key_label(_CTRL_TWINS[base])}"
    if base in _WITH_MODIFIERS or not held:
        return ""
    is_letter = len(base) == 1 and base.isascii() and base.isalpha()
    has_code = is_letter or base in _CTRL_MARKS
    if (held == {"ctrl"} and has_code) or ("ctrl" not in held and "alt" in held and is_letter):
        return ""
    if held == {"shift"} and base == "tab":
        return ""
    return f"a plain terminal sends {key_label(key)} without some of its modifiers, or not at all"


def key_label(key: str) -> str:
    """The key as people write it: ``Ctrl+O``, ``PgUp``, ``?``."""
    *modifiers, base = key.split("+")
    shown = _LABELS.get(base) or _character(base) or format_key(base)
    if len(shown) > 1:
        shown = shown.replace("_", " ")
    if len(shown) > 1 or {"ctrl", "alt", "super"} & set(modifiers):
        shown = shown[:1].upper() + shown[1:]
    order = [name for name in ("ctrl", "alt", "shift") if name in modifiers]
    rest = [name for name in modifiers if name not in order]
    return "+".join([*(name.capitalize() for name in [*order, *rest]), shown])


def _split(written: str) -> tuple[list[str], str]:
    """Modifiers and key, in lower case but for a single letter."""
    if written in ("+", ""):
        head, base = "", written
    elif written.endswith("++"):
        head, base = written[:-2], "+"
    else:
        head, _, base = written.rpartition("+")
    modifiers = [_SAME.get(name.lower(), name.lower()) for name in head.split("+") if name]
    return modifiers, _base(base)


def _base(written: str) -> str:
    if len(written) == 1:
        return _character_to_key(written)
    name = _SAME.get(written.lower(), written.lower())
    if name in _NAMED or _character(name):
        return name
    hint = did_you_mean(name, _NAMED)
    if "-" in written[1:-1]:
        with contextlib.suppress(ValueError):
            hint = f'; did you mean "{normalize_key(written.replace("-", "+"))}"?'
    raise ValueError(f'unknown key "{written}"{hint}')


def _character(name: str) -> str:
    """The character of a name such as ``section_sign``, which Textual makes from Unicode's."""
    try:
        found = unicodedata.lookup(name.replace("_", " "))
    except KeyError:
        return ""
    return found if found.isprintable() and not found.isspace() else ""


def _letter(base: str, modifiers: list[str]) -> tuple[str, list[str]]:
    """Shift is part of a letter that is typed alone, and a modifier of one with others."""
    if "ctrl" in modifiers or "super" in modifiers:
        return base.lower(), modifiers
    if "alt" in modifiers:
        return base.lower(), [*modifiers, "shift"] if base.isupper() else modifiers
    if "shift" in modifiers:
        return base.upper(), [name for name in modifiers if name != "shift"]
    return base, modifiers
