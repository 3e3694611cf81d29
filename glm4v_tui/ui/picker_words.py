"""What the picker says about a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content

from glm4v_tui.browsing import Sort
from glm4v_tui.listing import MOST_BELOW
from glm4v_tui.plain import plain_line
from glm4v_tui.ui.sizes import bytes_text, counted, date_text
from glm4v_tui.ui.widgets.file_list import shorten

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.browsing import Place
    from glm4v_tui.listing import Row

DETAILS: dict[Sort, Callable[[Row], str]] = {
    Sort.NAME: lambda _: "",
    Sort.NEWEST: lambda row: date_text(row.mtime) if row.mtime else "",
    Sort.LARGEST: lambda row: bytes_text(row.size) if row.size >= 0 and row.kind else "",
}
"""What stands at the right of a row: that by which it is sorted."""


def where_words(place: Place, marked: int, shown: int | None, width: int) -> Content:
    """The line above the list: the folder, the marks, how much there is and in which order.

    Args:
        place: The folder.
        marked: How many files are marked, anywhere.
        shown: How many rows the filter lets through; None without one.
        width: Cells there are.
    """
    marks = f"{marked:,} marked" if marked else ""
    facts = "  ".join(filter(None, (_counts(place, shown), _level(place), _order(place))))
    room = width - len(facts) - (len(marks) + 2 if marks else 0) - 4
    head, tail = shorten(plain_line(with_tilde(place.folder)), max(12, room))
    return Content.assemble(
        (f"{head}…{tail}" if tail else head, "bold"),
        "  ",
        (f"{marks}  " if marks else "", "bold $text-success"),
        (facts, "$text-muted"),
    )


def _counts(place: Place, shown: int | None) -> str:
    if shown is not None:
        return f"{shown:,} of {len(place.rows):,}"
    return f"{counted(place.images, 'image')}, {counted(place.folders, 'folder')}"


def _level(place: Place) -> str:
    if not place.view.is_deep:
        return ""
    is_cut = len(place.contents.get(str(place.folder), ())) >= MOST_BELOW
    return f"all levels, the first {MOST_BELOW:,} files" if is_cut else "all levels"


def _order(place: Place) -> str:
    return "" if place.view.sort is Sort.NAME else f"{place.view.sort.value} first"


def why_empty(place: Place, query: str) -> str:
    """Said in a list without rows."""
    if query:
        return "No name has these letters."
    entries = place.contents.get(str(place.folder))
    if not entries:
        return "" if entries is None else "This folder is empty."
    others = counted(len(entries), "other entry", "other entries")
    return f"No images here, but {others}: f and . show them."


def with_tilde(folder: Path) -> str:
    """The folder's name, shorter where it lies in the user's home."""
    home = Path.home()
    if folder == home or not folder.is_relative_to(home):
        return str(folder)
    return f"~/{folder.relative_to(home)}"
