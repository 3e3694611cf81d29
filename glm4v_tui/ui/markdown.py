"""Markdown to terminal lines, without doing again what an earlier call has done.

Rich draws the Markdown. While an answer grows, only its last block can change, so the lines of the
blocks before it are kept: painting costs what the last block costs, however long the answer is.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console
from rich.markdown import CodeBlock, Heading, Markdown
from rich.style import Style
from rich.syntax import Syntax
from rich.theme import Theme
from textual.color import Color
from textual.strip import Strip

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult
    from textual.theme import Theme as AppTheme

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_CONTINUES = re.compile(r"\s|[-*+](?:\s|$)|\d{1,9}[.)](?:\s|$)|[|>]")
"""How a line begins that may belong to the block above it: indented, a list item, a table row."""
_BLANK = Strip([])


class _LeftHeading(Heading):
    LEVEL_ALIGN: ClassVar = {**Heading.LEVEL_ALIGN, "h1": "left"}


class _Code(CodeBlock):
    """Highlighted, on the screen's own background."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip()
        yield Syntax(
            code,
            self.lexer_name,
            theme=self.theme,
            word_wrap=True,
            padding=(0, 2),
            background_color="default",
        )


class _Markdown(Markdown):
    elements: ClassVar = {
        **Markdown.elements,
        "heading_open": _LeftHeading,
        "fence": _Code,
        "code_block": _Code,
    }


@dataclass(frozen=True, eq=False)
class MarkdownStyle:
    """The colors that Markdown takes from the theme of the screen; one object for each theme."""

    theme: Theme
    code_theme: str


def markdown_style(app_theme: AppTheme) -> MarkdownStyle:
    """The style for a theme: the same object while the theme is the same."""
    primary = app_theme.primary
    return _style(
        primary,
        app_theme.secondary or primary,
        app_theme.accent or primary,
        "ansi_dark" if app_theme.dark else "ansi_light",
    )


@lru_cache(maxsize=4)
def _style(primary: str, secondary: str, accent: str, code_theme: str) -> MarkdownStyle:
    main, other, mark = (Style(color=_rich_color(name)) for name in (primary, secondary, accent))
    bold, underlined = Style(bold=True), Style(underline=True)
    styles = {
        "h1": main + bold + underlined,
        **{f"h{level}": main + bold for level in range(2, 7)},
        "code": mark,
        "code_block": mark,
        "block_quote": Style(italic=True),
        "item.bullet": main,
        "item.number": main,
        "link": other,
        "link_url": other + underlined,
        "table.border": Style(dim=True),
        "table.header": main + bold,
        "list": Style(),
    }
    theme = Theme({f"markdown.{name}": style for name, style in styles.items()})
    return MarkdownStyle(theme, code_theme)


class MarkdownLines:
    """The lines of one growing text. May be drawn from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._drawn_for: tuple[int, MarkdownStyle] | None = None
        self._settled = ""
        self._settled_lines: list[Strip] = []

    def draw(self, text: str, width: int, style: MarkdownStyle) -> list[Strip]:
        """The lines of ``text``, each at most ``width`` cells, without a background."""
        with self._lock:
            return self._draw(text, width, style)

    def _draw(self, text: str, width: int, style: MarkdownStyle) -> list[Strip]:
        if (width, style) != self._drawn_for or not text.startswith(self._settled):
            self._drawn_for = width, style
            self._settled, self._settled_lines = "", []
        split = len(self._settled) + last_block_start(text[len(self._settled) :])
        if split > len(self._settled):
            block = _draw(text[len(self._settled) : split], width, style)
            self._settled_lines = _below(self._settled_lines, block)
            self._settled = text[:split]
        return _below(self._settled_lines, _draw(text[split:], width, style))


def last_block_start(text: str) -> int:
    """Where the last block begins that more text can still change; 0 when that is the first.

    Before it stands a blank line outside any code fence, after which the text begins at the left
    margin with nothing that could continue a list, a table or a quotation.
    """
    start = position = 0
    fence = ""
    was_blank = False
    for line in text.splitlines(keepends=True):
        if was_blank and not fence and not _CONTINUES.match(line):
            start = position
        if found := _FENCE.match(line):
            if not fence:
                fence = found[1]
            elif found[1].startswith(fence):
                fence = ""
        was_blank = not line.strip()
        position += len(line)
    return start


def _below(upper: list[Strip], lower: list[Strip]) -> list[Strip]:
    return [*upper, _BLANK, *lower] if upper and lower else upper or lower


def _draw(text: str, width: int, style: MarkdownStyle) -> list[Strip]:
    if not text.strip():
        return []
    console = Console(
        width=width,
        theme=style.theme,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        _environ={},
    )
    markdown = _Markdown(text, code_theme=style.code_theme, hyperlinks=False)
    lines = [Strip(line) for line in console.render_lines(markdown, pad=False)]
    while lines and not lines[0].text.strip():
        lines.pop(0)
    while lines and not lines[-1].text.strip():
        lines.pop()
    return lines


def _rich_color(name: str) -> str:
    return Color.parse(name).rich_color.name
