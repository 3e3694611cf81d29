"""Themes from TOML files: those in the package and the user's own, in one format.

A file's name without its suffix is the theme's name; a user's file goes before a shipped one of
the same name. Only the theme in use is read at the start, the others when one is to be chosen.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from textual.theme import BUILTIN_THEMES, Theme

from glm4v_tui import paths
from glm4v_tui.errors import SettingsError
from glm4v_tui.terminal import color_system
from glm4v_tui.toml_file import (
    Problem,
    TomlFile,
    did_you_mean,
    missing_file,
    read_toml,
    settings_error,
)
from glm4v_tui.toml_struct import read_struct

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT = "graphite"
SIXTEEN_COLORS = "terminal"
"""The theme for a screen that has no more."""


_ANSI_GAPS = {
    "ansi-background": "ansi_default",
    "ansi-foreground": "ansi_default",
    "surface-active": "ansi_default",
    "foreground-disabled": "ansi_bright_black",
}
"""Variables that style sheets use and that Textual does not give to an ansi theme by itself."""


class ThemeFile(msgspec.Struct, frozen=True):
    """What a theme file may hold. Colors are CSS colors, or ``ansi_red`` and the like."""

    primary: str
    """Focus, borders, headings."""
    secondary: str | None = None
    accent: str | None = None
    """Keys in the footer."""
    success: str | None = None
    warning: str | None = None
    error: str | None = None
    foreground: str | None = None
    background: str | None = None
    surface: str | None = None
    """Fields and lists."""
    panel: str | None = None
    """Bars."""
    dark: bool = True
    ansi: bool = False
    """Leave the colors to the terminal's own palette."""
    variables: dict[str, str] = {}
    """Single variables of Textual's design, such as ``text-muted``."""


class Themes(NamedTuple):
    good: list[Theme]
    failed: list[SettingsError]
    """One for each file that cannot be used; it names the file, line and key."""


def theme_names() -> list[str]:
    """The themes to choose from, without reading one of them."""
    return sorted(_files().keys() | BUILTIN_THEMES.keys())


def load_theme(name: str) -> Theme:
    """Read one theme.

    Raises:
        SettingsError: there is no such theme, or its file is wrong.
    """
    path = _files().get(name)
    if path is not None:
        return read_theme(path)
    if name in BUILTIN_THEMES:
        return BUILTIN_THEMES[name]
    raise SettingsError(
        f'There is no theme "{name}"',
        f"Looked for {paths.user_themes_dir() / name}.toml{did_you_mean(name, theme_names())}",
        "Choose one with the command palette, or correct the setting interface.theme.",
    )


def load_theme_or_default(name: str) -> tuple[Theme, SettingsError | None]:
    """The theme, or the default one and the reason why.

    On a screen of sixteen colors the default theme gives way to one that is made of them.
    """
    if name == DEFAULT and color_system(os.environ) == "standard":
        name = SIXTEEN_COLORS
    try:
        return load_theme(name), None
    except SettingsError as error:
        return read_theme(paths.shipped_dir("themes") / f"{DEFAULT}.toml"), error


def load_themes() -> Themes:
    """Read all files, for a choice; a wrong one does not stand in the way of the others."""
    themes = Themes([], [])
    for _, path in sorted(_files().items()):
        try:
            themes.good.append(read_theme(path))
        except SettingsError as error:
            themes.failed.append(error)
    return themes


def read_theme(path: Path) -> Theme:
    """Read one file.

    Raises:
        SettingsError: the file cannot be read or a key or value is wrong.
    """
    try:
        file = read_toml(path)
    except FileNotFoundError as error:
        raise missing_file(path) from error
    content = read_struct(file, ThemeFile)
    if problems := [*_wrong_colors(file, content), *_wrong_variables(file, content)]:
        raise settings_error(path, problems)
    return _theme(path.stem, content)


def _files() -> dict[str, Path]:
    files: dict[str, Path] = {}
    for folder in (paths.shipped_dir("themes"), paths.user_themes_dir()):
        try:
            found = [path for path in folder.glob("*.toml") if path.stem.isprintable()]
        except OSError:
            continue
        files.update({path.stem: path for path in found})
    return files


def _theme(name: str, content: ThemeFile) -> Theme:
    fields = msgspec.structs.asdict(content)
    if content.ansi:
        fields["variables"] = _ANSI_GAPS | content.variables
    return Theme(name=name, **{key: value for key, value in fields.items() if value is not None})


def _wrong_colors(file: TomlFile, content: ThemeFile) -> list[Problem]:
    return [
        file.problem((key,), f'expected a color such as "#1e90ff", found "{value}"')
        for key, value in msgspec.structs.asdict(content).items()
        if isinstance(value, str) and not _is_valid("color", value, may_be_auto=False)
    ]


def _wrong_variables(file: TomlFile, content: ThemeFile) -> list[Problem]:
    """A wrong value would break the style sheets of the whole program, so all are tried here."""
    if not content.variables:
        return []
    known = _known_variables()
    problems = []
    for name, value in content.variables.items():
        if name not in known:
            problems.append(file.unknown(("variables", name), known))
        elif not _is_valid(_rule(name), value):
            what = "a text style" if _rule(name) == "text-style" else "a color"
            problems.append(file.problem(("variables", name), f'expected {what}, found "{value}"'))
    return problems


def _known_variables() -> set[str]:
    colors = Theme("any", "#ffffff").to_color_system().generate()
    return colors.keys() | Theme("ansi", "ansi_blue", ansi=True).to_color_system().generate().keys()


def _rule(variable: str) -> str:
    """The CSS rule in which a variable's value must make sense."""
    if "-style" in variable:
        return "text-style"
    return "background" if "background" in variable else "color"


def _is_valid(rule: str, value: str, *, may_be_auto: bool = True) -> bool:
    from textual.css.errors import DeclarationError
    from textual.css.parse import parse_declarations
    from textual.css.tokenizer import TokenError

    if ";" in value or (not may_be_auto and value.startswith("auto")):
        return False
    try:
        return bool(parse_declarations(f"{rule}: {value};", ("", "")).get_rules())
    except (DeclarationError, TokenError):
        return False
