"""A bar of colored stretches, exact to an eighth of a cell."""

from __future__ import annotations

from typing import NamedTuple

from textual.content import Content

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_FREE = "$foreground 15%"


class Part(NamedTuple):
    """A stretch of a bar."""

    size: float
    color: str


def bar(parts: tuple[Part, ...], total: float | None, width: int) -> Content:
    """Stretches side by side, to an eighth of a cell; what is left over is free."""
    if not total:
        return Content.styled("─" * width, _FREE)
    ends, reached = [], 0.0
    for part in parts:
        reached += part.size
        ends.append((min(width * 8, round(reached / total * width * 8)), part.color))
    return Content.assemble(*(_cell(ends, cell * 8) for cell in range(width)))


def _cell(ends: list[tuple[int, str]], start: int) -> tuple[str, str]:
    """One cell shows one border: the first in it, between the colors at its two sides."""
    left = _color_at(ends, start)
    border = next((end for end, _ in ends if start < end < start + 8), start + 8)
    if border == start + 8:
        return _EIGHTHS[8], left
    return _EIGHTHS[border - start], f"{left} on {_color_at(ends, start + 7)}"


def _color_at(ends: list[tuple[int, str]], eighth: int) -> str:
    return next((color for end, color in ends if eighth < end), _FREE)
