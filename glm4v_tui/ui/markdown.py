"""Markdown to terminal lines, without doing again what an earlier call has done.

Rich draws the Markdown. While an answer grows, only its last block can change, so the lines of the
blocks before it are kept: painting costs what the last block costs, however long the answer is.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from markdown_it import MarkdownIt
from rich.console import Console
from rich.markdown import CodeBlock, Heading, Markdown
from rich.style import Style
from rich.syntax import Syntax
from rich.theme import Theme
from textual.color import Color
from textual.strip import Strip

from glm4v_tui.plain import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import ConsoleOptions, RenderResult
    from rich.segment import Segment
    from textual.theme import Theme as AppTheme

_UNDECIDED = re.compile(r" {0,3}\d{1,9}\Z")
"""A line that would go on with the list above it if its next character were a full stop."""
_BLANK = Strip([])


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable(["strikethrough", "table"])
    return parser.disable(["html_block", "html_inline"])


_PARSER = _parser()
_BLOCK_PARSER = _parser()
_BLOCK_PARSER.core.ruler.enableOnly(["normalize", "block"])


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
    """Rich's Markdown, but for HTML: it leaves it out, and an answer must be seen whole."""

    elements: ClassVar = {
        **Markdown.elements,
        "heading_open": _LeftHeading,
        "fence": _Code,
        "code_block": _Code,
    }

    def __init__(self, code_theme: str) -> None:
        super().__init__("", code_theme, hyperlinks=False)

    def read(self, text: str) -> None:
        """Take other text: cheaper than another object, which would make a parser of its own."""
        self.parsed = _PARSER.parse(text)


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
        pen = _Pen(width, style)
        settled, growing = split_blocks(text[len(self._settled) :])
        for block in settled:
            self._settled_lines = _below(self._settled_lines, pen.draw(block))
        self._settled += "".join(settled)
        lines = self._settled_lines
        for block in growing:
            lines = _below(lines, pen.draw(block))
        return lines


def split_blocks(text: str) -> tuple[list[str], list[str]]:
    """Cut a text where a block begins after a blank line.

    Returns:
        The blocks that more text cannot change, and the last one or two, which it can.
    """
    starts = [0, *_block_starts(text)]
    blocks = [text[start:end] for start, end in pairwise([*starts, len(text)])]
    growing = 2 if _UNDECIDED.match(blocks[-1]) else 1
    return blocks[:-growing], blocks[-growing:]


def _block_starts(text: str) -> Iterator[int]:
    """Where the outermost blocks begin that have a blank line above them."""
    lines = text.split("\n")
    offset = line = 0
    for token in _BLOCK_PARSER.parse(text):
        if token.level == 0 and token.map and token.map[0] > line:
            offset += sum(len(passed) + 1 for passed in lines[line : token.map[0]])
            line = token.map[0]
            if not lines[line - 1].strip() and text[:offset].strip():
                yield offset


def _below(upper: list[Strip], lower: list[Strip]) -> list[Strip]:
    return [*upper, _BLANK, *lower] if upper and lower else upper or lower


class _Pen:
    """Draws one block after another."""

    def __init__(self, width: int, style: MarkdownStyle) -> None:
        self._markdown = _Markdown(style.code_theme)
        self._console = Console(
            width=width,
            theme=style.theme,
            file=io.StringIO(),
            force_terminal=True,
            color_system="truecolor",
            legacy_windows=False,
            _environ={},
        )

    def draw(self, text: str) -> list[Strip]:
        """The lines of a block, without blank ones around them."""
        if not text.strip():
            return []
        self._markdown.read(text)
        drawn = self._console.render_lines(self._markdown, pad=False)
        lines = [Strip(map(_plain, line)) for line in drawn]
        while lines and not lines[0].text.strip():
            lines.pop(0)
        while lines and not lines[-1].text.strip():
            lines.pop()
        return lines


def _plain(segment: Segment) -> Segment:
    """Without what entities such as ``&#x202e;`` have brought in."""
    return segment._replace(text=plain_text(segment.text))


def _rich_color(name: str) -> str:
    return Color.parse(name).rich_color.name
