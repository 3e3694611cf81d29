"""The images before and after the current one, by name, with what was said of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Sequence

_CELLS = 16
"""That a name takes at least."""
_TAIL = 9
"""Cells of a shortened name's end that stay: numbers tell files apart."""


@dataclass(frozen=True, slots=True)
class Neighbor:
    """An image beside the current one."""

    name: str
    word: str = ""
    """Its verdict."""
    color: str = ""
    is_flagged: bool = False


class NeighborStrip(Widget):
    """Two lines, or one where the window is low: the current image stands in the middle."""

    DEFAULT_CSS = """
    NeighborStrip { height: 2; padding: 0 1; background: $surface; }
    TriageScreen.-short NeighborStrip { height: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._neighbors: tuple[Neighbor | None, ...] = ()

    @property
    def side(self) -> int:
        """How many images on each side there is room for."""
        return max(1, min(3, (self.content_size.width // _CELLS - 1) // 2))

    def show(self, neighbors: Sequence[Neighbor | None]) -> None:
        """Show these, the current one in the middle; None where the queue has no more."""
        if tuple(neighbors) != self._neighbors:
            self._neighbors = tuple(neighbors)
            self.refresh()

    def render(self) -> Content:
        if not self._neighbors:
            return Content("")
        rooms = _rooms(self._neighbors, self.content_size.width)
        middle = len(self._neighbors) // 2
        is_low = self.content_size.height < 2
        names = [
            _name(one, room, is_current=at == middle, is_colored=is_low)
            for at, (one, room) in enumerate(zip(self._neighbors, rooms, strict=True))
        ]
        lines = [Content("").join(names)]
        if not is_low:
            words = map(_word, self._neighbors, rooms)
            lines.append(Content("").join(words))
        return Content("\n").join(lines)


def _rooms(neighbors: Sequence[Neighbor | None], width: int) -> list[int]:
    """Cells for each: as many for all, unless a name would be cut that others leave room for."""
    wanted = [_cells(one) for one in neighbors]
    even = width // len(neighbors)
    if max(wanted) <= even:
        return [even] * len(neighbors)
    rooms, left = [0] * len(neighbors), width
    by_need = sorted(range(len(neighbors)), key=lambda at: wanted[at])
    for done, at in enumerate(by_need):  # those that need least first: the others share the rest
        rooms[at] = min(wanted[at], left // (len(neighbors) - done))
        left -= rooms[at]
    return rooms


def _cells(one: Neighbor | None) -> int:
    """That it takes uncut: marks, name, a space."""
    if one is None:
        return 0
    return 3 + Content(_flagged(one)).cell_length


def _flagged(one: Neighbor) -> str:
    return f"{'⚑ ' if one.is_flagged else ''}{one.name}"


def _name(one: Neighbor | None, room: int, *, is_current: bool, is_colored: bool) -> Content:
    if one is None:
        return Content(" " * room)
    name = shortened(_flagged(one), room - 3)
    look = f"bold {one.color}" if is_colored and one.word else "bold"
    if not is_current:
        look = one.color if is_colored and one.word else "$text-muted"
    marks = ("▸ ", "$text-accent") if is_current else "  "
    return _padded(Content.assemble(marks, (name, look)), room)


def _word(one: Neighbor | None, room: int) -> Content:
    if one is None:
        return Content(" " * room)
    word = Content(f"  {one.word}").truncate(max(0, room - 1), ellipsis=True)
    return _padded(word.stylize(one.color) if one.word else word, room)


def _padded(content: Content, room: int) -> Content:
    return Content.assemble(content, " " * max(0, room - content.cell_length))


def shortened(name: str, room: int) -> str:
    """A name that fits into so many cells, its end kept."""
    content = Content(name)
    if content.cell_length <= room:
        return name
    tail = min(_TAIL, max(0, room - 2))
    start = content.truncate(max(0, room - tail - 1)).plain
    return f"{start}…{name[-tail:] if tail else ''}"
