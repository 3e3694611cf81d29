"""The doctor's checks of what only the screen knows: keys and themes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui import paths
from glm4v_tui.config import InterfaceSettings, load_settings
from glm4v_tui.doctor.finding import SETTINGS, Finding, Status
from glm4v_tui.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glm4v_tui.doctor import Check


def interface_checks() -> list[Check]:
    """To be given to :func:`glm4v_tui.doctor.run_checks`."""
    return [_check_keymap, _check_theme, _check_themes]


def _check_keymap() -> Iterator[Finding]:
    from glm4v_tui.ui.key_check import check_keymap
    from glm4v_tui.ui.keymap import load_keymap

    keymap = load_keymap(_interface().keymap)
    wrong = [*keymap.warnings, *check_keymap(keymap.keys)]
    for text in wrong:
        remedy = "Correct the key; until then it is left out or may do nothing."
        yield Finding(SETTINGS, "keys", Status.WARN, text, remedy)
    if not wrong:
        own = f"{len(keymap.own)} of your own" if keymap.own else "none of your own"
        yield Finding(SETTINGS, "keys", Status.OK, f"{_interface().keymap}, {own}")


def _check_theme() -> Iterator[Finding]:
    from glm4v_tui.state import load_state
    from glm4v_tui.ui.themes import load_theme_or_default

    name = load_state()[0].theme_for(_interface().theme)
    theme, error = load_theme_or_default(name)
    if error is None:
        yield Finding(SETTINGS, "theme", Status.OK, theme.name)
    else:
        told = f"{error.title}: {error.body}"
        yield Finding(SETTINGS, "theme", Status.WARN, told, error.remedy)


def _check_themes() -> Iterator[Finding]:
    from glm4v_tui.ui.themes import load_themes

    themes = load_themes()
    for error in themes.failed:
        yield Finding(SETTINGS, "theme files", Status.WARN, error.body, error.remedy)
    if not themes.failed:
        told = f"{len(themes.good)} valid; your own go to {paths.user_themes_dir()}"
        yield Finding(SETTINGS, "theme files", Status.OK, told)


def _interface() -> InterfaceSettings:
    try:
        return load_settings().interface
    except SettingsError:  # told by another check
        return InterfaceSettings()
