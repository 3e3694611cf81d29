"""Places of a result, as they are drawn over a picture and named beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from glm4v_tui.chat import Box
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from glm4v_tui.tasks.panel import Region

TONES: Mapping[str, str] = {
    "plain": "accent",
    "good": "success",
    "warn": "warning",
    "bad": "error",
}
"""The theme's color of each tone."""

Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Mark:
    """An outline over a picture."""

    box: Box
    """Pixels of the whole upright image."""
    label: str
    """``1``; the number in tables and legends."""
    color: Color
    name: str = ""
    """What is there."""
    tone: str = "plain"


def marks_of(
    regions: Sequence[Region], crop: Box | None, colors: Mapping[str, Color]
) -> tuple[Mark, ...]:
    """Number the regions of a result.

    Args:
        regions: In pixels of the part that was asked about.
        crop: That part; None for the whole image.
        colors: Of each tone, red, green, blue.
    """
    left, top = (crop.left, crop.top) if crop else (0, 0)
    return tuple(
        Mark(
            Box(
                region.box.left + left,
                region.box.top + top,
                region.box.right + left,
                region.box.bottom + top,
            ),
            str(number),
            colors[region.tone],
            plain_line(region.label),
            region.tone,
        )
        for number, region in enumerate(regions, 1)
    )


def tone_colors(variables: Mapping[str, str]) -> dict[str, Color]:
    """The colors of the tones in a theme, by its variables (``App.theme_variables``)."""
    from textual.color import Color as Parsed

    return {tone: Parsed.parse(variables[name]).rgb for tone, name in TONES.items()}


def legend(marks: Sequence[Mark]) -> Content:
    """The numbers and names of marks, a line each."""
    lines = [
        Content.assemble((f"{mark.label} ", f"bold ${TONES[mark.tone]}"), mark.name)
        for mark in marks
    ]
    return Content("\n").join(lines)
