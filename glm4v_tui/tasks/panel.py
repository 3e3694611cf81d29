"""What is shown of a result, as plain values: the screen and the command line draw them."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.chat import Box

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Tone(StrEnum):
    """How a value is to be taken; colors are the theme's business."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class Badge(msgspec.Struct, frozen=True):
    """A word or two that sum the result up: ``pass``, ``grade 7``, ``urgent``."""

    text: str
    tone: Tone = Tone.PLAIN


class Row(msgspec.Struct, frozen=True, tag=True):
    """A named value."""

    name: str
    value: str
    tone: Tone = Tone.PLAIN


class Table(msgspec.Struct, frozen=True, tag=True):
    """Several things of one kind."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """As many cells each as there are columns."""


class Region(msgspec.Struct, frozen=True):
    """A place in the picture."""

    box: Box
    """In pixels of the picture that was asked about."""
    label: str
    tone: Tone = Tone.PLAIN


class Panel(msgspec.Struct, frozen=True):
    """A result on the screen: badges above, then rows and tables in their order, then notes."""

    badges: tuple[Badge, ...] = ()
    parts: tuple[Row | Table, ...] = ()
    notes: tuple[str, ...] = ()


GRID = 1000
"""GLM models write boxes as ``[x1, y1, x2, y2]`` in 0-999, thousandths of width and height,
whatever size they see the picture at."""


def pixel_box(box: Sequence[float], width: int, height: int) -> Box:
    """A box as a GLM model writes it, in pixels of the picture.

    Args:
        box: ``[x1, y1, x2, y2]``, each 0 to 999; corners in any order.
        width: Of the picture that the result is about, in pixels.
        height: The same.

    Returns:
        The smallest box of whole pixels around it, at least one pixel, inside of the picture.

    Raises:
        ValueError: not four finite numbers.
    """
    if len(box) != 4:
        raise ValueError(f"a box has four numbers, not {len(box)}")
    if not all(map(math.isfinite, box)):
        raise ValueError(f"a box has finite numbers, not {list(box)}")
    (left, right), (top, bottom) = sorted((box[0], box[2])), sorted((box[1], box[3]))
    across, down = _pixels(left, right, width), _pixels(top, bottom, height)
    return Box(across[0], down[0], across[1], down[1])


def _pixels(first: float, last: float, length: int) -> tuple[int, int]:
    """The pixels from thousandth ``first`` to ``last``, both touched."""
    begin = min(max(0, int(first * length // GRID)), length - 1)
    end = -int(-(last + 1) * length // GRID)  # the last thousandth is inside
    return begin, min(max(begin + 1, end), length)


def plain_panel(value: Any) -> Panel:
    """Any JSON value as a panel: names and values in their order, objects of one kind in tables."""
    if not isinstance(value, dict):
        value = {"result": value}
    return Panel(parts=tuple(_part(_title(name), item) for name, item in value.items()))


def _part(name: str, value: Any) -> Row | Table:
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        if not any(value):
            return Row(name, str(len(value)))  # objects without fields: only their number is told
        columns = list(dict.fromkeys(key for item in value for key in item))
        rows = tuple(tuple(_words(item.get(key)) for key in columns) for item in value)
        return Table(name, tuple(map(_title, columns)), rows)
    return Row(name, _words(value))


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _words(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case dict():
            return _pairs(value)
        case list() if not value:
            return "none"
        case list():
            return ", ".join(map(_words, value))
        case _:
            return str(value)


def _pairs(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{_title(key).lower()} {_words(item)}" for key, item in value.items())
