"""What lies in a folder: read, sorted as people count, filtered as people type.

Made for folders of 100,000 files: names stay text, rows are cheap, nothing is asked of the disk
that is not shown. The functions block and belong in a thread.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.errors import GlmError
from glm4v_tui.images import is_image_name
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


MOST_BELOW = 100_000
"""How many files are read from a folder with all that is below it."""


class Kind(IntEnum):
    FOLDER = 0
    IMAGE = 1
    OTHER = 2


class Row(msgspec.Struct, frozen=True, gc=False):
    """One line of a list: an entry of a folder."""

    folder: str
    name: str
    kind: Kind
    is_link: bool = False
    size: int = -1
    """Bytes; -1 where they were not asked for."""
    mtime: float = 0.0
    """Seconds since 1970; 0 where it was not asked for."""
    depth: int = 0
    """Levels below the root, in a tree."""
    is_open: bool = False
    """Whether its entries follow, in a tree."""

    @property
    def key(self) -> str:
        """The full path, as text."""
        return os.path.join(self.folder, self.name)  # noqa: PTH118 - 100,000 of them

    @property
    def path(self) -> Path:
        return Path(self.key)


# Reading ----------------------------------------------------------------------------------------


def read_folder(folder: Path, *, with_stat: bool = False) -> list[Row]:
    """Every entry, in no order.

    Args:
        folder: Where to look.
        with_stat: Ask for sizes and times too, which costs one question to the disk each.

    Raises:
        GlmError: It is gone, is no folder, or may not be read.
    """
    try:
        with os.scandir(folder) as entries:
            base = str(folder)
            return [_row(base, entry, with_stat=with_stat) for entry in entries]
    except (OSError, ValueError) as error:
        raise _folder_error(folder, error) from error


def read_below(folder: Path, *, with_stat: bool = False, hidden: bool = False) -> list[Row]:
    """Every file in a folder and in those below it, named from there: ``sub/img1.png``.

    Links to folders are not followed, what cannot be read is left out, and at ``MOST_BELOW``
    entries it stops.

    Raises:
        GlmError: The folder itself cannot be read.
    """
    base = str(folder)
    files: list[Row] = []
    waiting = read_folder(folder, with_stat=with_stat)[::-1]
    while waiting and len(files) < MOST_BELOW:
        row = waiting.pop()
        if row.name.startswith(".") and not hidden:
            continue
        if row.kind is not Kind.FOLDER:
            name = os.path.relpath(row.key, base) if row.folder != base else row.name
            files.append(msgspec.structs.replace(row, folder=base, name=name))
        elif not row.is_link:
            with suppress(GlmError):
                waiting += read_folder(row.path, with_stat=with_stat)
    return files


def _row(folder: str, entry: os.DirEntry[str], *, with_stat: bool) -> Row:
    kind = Kind.OTHER
    try:
        if entry.is_dir():
            kind = Kind.FOLDER
        elif is_image_name(entry.name):
            kind = Kind.IMAGE
        if with_stat:
            status = entry.stat()
            return Row(
                folder, entry.name, kind, entry.is_symlink(), status.st_size, status.st_mtime
            )
    except OSError:  # a link to itself, or a file that went away: opening it says so
        pass
    return Row(folder, entry.name, kind, entry.is_symlink())


def _folder_error(folder: Path, error: OSError | ValueError) -> GlmError:
    name = plain_line(str(folder))
    match error:
        case PermissionError():
            return GlmError("No permission", f"This user may not look into {name}.")
        case NotADirectoryError():
            return GlmError("Not a folder", f"{name} is a file.")
        case FileNotFoundError() | ValueError():
            return GlmError("No such folder", f"{name} is not there, or not any more.")
        case _:
            reason = plain_line(error.strerror or str(error))
            return GlmError("The folder cannot be read", f"{name}: {reason}.")


def nearest_folder(path: Path) -> Path:
    """The folder itself, or the lowest one above it that is there."""
    for folder in (path, *path.parents):
        with suppress(OSError):
            if folder.is_dir():
                return folder
    return Path("/")


# Order ------------------------------------------------------------------------------------------

_DIGITS = re.compile(r"([0-9]+)")


def natural_key(name: str) -> str:
    """Sorts ``img2`` before ``img10``, and ``IMG3`` between them.

    One text, because a list of texts and numbers sorts five times as slowly, and sorting lets no
    other thread run. A number is led by its count of digits, so that the longer is the larger.
    """
    parts = _DIGITS.split(name.lower())
    for place in range(1, len(parts), 2):
        digits = parts[place].lstrip("0")
        parts[place] = f"{len(digits):03}{digits}"
    return f"{''.join(parts)}\0{name}"


def index_of(rows: Sequence[Row], key: str | None) -> int:
    """Where the entry of this full path stands; 0 when it does not."""
    if key is None:
        return 0
    for index, row in enumerate(rows):
        if key.endswith(row.name) and row.key == key:
            return index
    return 0


# Filter -----------------------------------------------------------------------------------------

_STALE_EVERY = 2_000


def fuzzy_filter(
    rows: Iterable[Row], query: str, is_stale: Callable[[], bool] = lambda: False
) -> list[Row]:
    """The rows whose names have all words of the query, the best matches first.

    A word's letters must come in its order, with others between them. Better: together; better
    still: at the beginning of a part of the name, of the whole name.
    """
    terms = [_Term(word) for word in _folded(query).split()]
    found: list[tuple[int, int, Row]] = []
    for index, row in enumerate(rows):
        if index % _STALE_EVERY == 0 and is_stale():
            return []
        score = _score(terms, _folded(row.name))
        if score is not None:
            found.append((score, index, row))
    found.sort(key=lambda match: match[:2])
    return [row for _, _, row in found]


def matched_letters(name: str, query: str) -> set[int]:
    """Which letters of a name the query has found, as indexes."""
    folded = _folded(name)
    return {index for word in _folded(query).split() for index in _Term(word).letters(folded)}


def _folded(text: str) -> str:
    """Lower case with the same indexes: a few letters become two, and those stay as they are."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


def _score(terms: Sequence[_Term], name: str) -> int | None:
    total = 0
    for term in terms:
        score = term.score(name)
        if score is None:
            return None
        total += score
    return total


class _Term:
    """One word of a query."""

    def __init__(self, word: str) -> None:
        self.word = word
        letters = [re.escape(letter) for letter in word]
        # "[^c]*c" and not ".*?c": a name that does not match is then given up in linear time
        rest = "".join(f"[^{letter}]*{letter}" for letter in letters[1:])
        self._pattern = re.compile(letters[0] + rest)

    def score(self, name: str) -> int | None:
        """The lower the better; None when it is not in there."""
        start = name.find(self.word)
        if start == 0:
            return 0
        if start > 0:
            return 2 if name[start - 1].isalnum() else 1
        match = self._pattern.search(name)
        return None if match is None else 3 + match.end() - match.start()

    def letters(self, name: str) -> Iterator[int]:
        start = name.find(self.word)
        if start >= 0:
            yield from range(start, start + len(self.word))
            return
        match = self._pattern.search(name)
        position = match.start() if match else len(name)
        for letter in self.word if match else "":
            position = name.index(letter, position)
            yield position
            position += 1
