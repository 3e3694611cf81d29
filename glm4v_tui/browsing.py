"""A folder as it is shown: which entries, in which order, what is unfolded. No screen in it."""

from __future__ import annotations

import os
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.errors import GlmError
from glm4v_tui.listing import Kind, Row, natural_key, nearest_folder, read_below, read_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


class Sort(StrEnum):
    NAME = "name"
    NEWEST = "newest"
    LARGEST = "largest"


class View(msgspec.Struct, frozen=True):
    """How a folder is to be shown."""

    sort: Sort = Sort.NAME
    hidden: bool = False
    """Whether names that begin with a dot are shown."""
    others: bool = False
    """Whether files that are no images are shown."""
    open_folders: frozenset[str] | None = None
    """The folders whose entries are shown in place, as full paths; None for a plain list."""

    is_deep: bool = False
    """Whether the files of all folders below are shown too, in one list."""

    @property
    def needs_stat(self) -> bool:
        return self.sort is not Sort.NAME


class Place(msgspec.Struct, frozen=True):
    """A folder that was read, and its rows as the view wants them."""

    folder: Path
    view: View = View()
    contents: dict[str, list[Row]] = {}
    """All entries by folder: this one and those that are unfolded in it."""
    rows: list[Row] = []
    """Those that are shown, in order."""
    images: int = 0
    """How many of the rows are images."""
    folders: int = 0
    """How many are folders."""

    @property
    def first_image(self) -> str | None:
        """The full path of the uppermost image, where a list begins."""
        return next((row.key for row in self.rows if row.kind is Kind.IMAGE), None)


def open_place(folder: Path, view: View) -> Place:
    """Read a folder. What was unfolded in it and cannot be read any more is folded.

    Raises:
        GlmError: It cannot be read.
    """
    contents = {str(folder): _entries(folder, view)}
    for name in _unfolded_below(folder, view):
        with suppress(GlmError):
            contents[name] = read_folder(Path(name), with_stat=view.needs_stat)
    if view.open_folders is not None:
        view = msgspec.structs.replace(view, open_folders=view.open_folders & contents.keys())
    return _place(folder, view, contents)


def changed_place(place: Place, view: View) -> Place:
    """The same folder in another view; only what is not known yet is read.

    Raises:
        GlmError: A folder cannot be read.
    """
    is_enough = _reading(place.view) == _reading(view) or (
        place.view.needs_stat and not (place.view.is_deep or view.is_deep)
    )
    contents = dict(place.contents) if is_enough else {}
    for name in (str(place.folder), *_unfolded_below(place.folder, view)):
        if name not in contents:
            contents[name] = _entries(Path(name), view)
    return _place(place.folder, view, contents)


def first_place(start: Path, view: View) -> tuple[Place, GlmError | None]:
    """The folder to begin in: ``start``, that of the file ``start``, or the nearest one that can
    be read, with the reason why it is another.
    """
    if start.is_file():
        start = start.parent
    try:
        return open_place(start, view), None
    except GlmError as error:
        for folder in (nearest_folder(start), *start.parents):
            try:
                return open_place(folder, view), error
            except GlmError:
                continue
        raise


def _place(folder: Path, view: View, contents: dict[str, list[Row]]) -> Place:
    rows = arranged(contents, str(folder), view)
    kinds = [row.kind for row in rows]
    return Place(folder, view, contents, rows, kinds.count(Kind.IMAGE), kinds.count(Kind.FOLDER))


def _reading(view: View) -> tuple[bool, ...]:
    """What decides which entries are read, and what is asked of each."""
    return view.needs_stat, view.is_deep, view.is_deep and view.hidden


def _entries(folder: Path, view: View) -> list[Row]:
    if view.is_deep:
        return read_below(folder, with_stat=view.needs_stat, hidden=view.hidden)
    return read_folder(folder, with_stat=view.needs_stat)


def _unfolded_below(folder: Path, view: View) -> list[str]:
    inside = os.path.join(folder, "")  # noqa: PTH118 - with the slash at its end
    return [name for name in view.open_folders or () if name.startswith(inside)]


def arranged(contents: Mapping[str, Sequence[Row]], root: str, view: View) -> list[Row]:
    """Choose and sort what is shown.

    Args:
        contents: The entries by folder, as ``read_folder`` gives them.
        root: The folder that is shown.
        view: How.
    """
    if view.open_folders is None:
        return _sorted(_chosen(contents.get(root, ()), view), view.sort)
    return list(_unfolded(contents, root, view, 0))


def _unfolded(
    contents: Mapping[str, Sequence[Row]], folder: str, view: View, depth: int
) -> Iterator[Row]:
    assert view.open_folders is not None
    for row in _sorted(_chosen(contents.get(folder, ()), view), view.sort):
        is_open = row.kind is Kind.FOLDER and row.key in view.open_folders
        yield msgspec.structs.replace(row, depth=depth, is_open=is_open)
        if is_open:
            yield from _unfolded(contents, row.key, view, depth + 1)


def _chosen(rows: Iterable[Row], view: View) -> list[Row]:
    return [
        row
        for row in rows
        if (view.hidden or not row.name.startswith("."))
        and (view.others or row.kind is not Kind.OTHER)
    ]


def _sorted(rows: list[Row], sort: Sort) -> list[Row]:
    """Folders first and by name; then the files."""
    folders = [row for row in rows if row.kind is Kind.FOLDER]
    files = [row for row in rows if row.kind is not Kind.FOLDER]
    folders.sort(key=lambda row: natural_key(row.name))
    match sort:
        case Sort.NAME:
            files.sort(key=lambda row: natural_key(row.name))
        case Sort.NEWEST:
            files.sort(key=lambda row: (-row.mtime, row.name))
        case Sort.LARGEST:
            files.sort(key=lambda row: (-row.size, row.name))
    return folders + files
