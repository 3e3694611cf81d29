"""Names cut in their middle: both the beginning and the end tell them apart."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def cut_in_middle(name: str, room: int) -> str:
    """A name in at most so many cells. Wide characters are never halved.

    Args:
        name: Safe to show.
        room: Cells; below one nothing is left.
    """
    if cell_len(name) <= room:
        return name
    if room < 2:
        return "…"[: max(0, room)]
    end = _last_cells(name, (room - 1) // 2)
    start = set_cell_size(name, room - 1 - cell_len(end))
    return f"{start}…{end}"


def _last_cells(name: str, room: int) -> str:
    """The longest end of a name that fits."""
    at, left = len(name), room
    while at and (width := cell_len(name[at - 1])) <= left:
        at, left = at - 1, left - width
    return name[at:]
