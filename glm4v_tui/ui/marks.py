"""Which files are marked, in the order in which it was done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.listing import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    from glm4v_tui.listing import Row


class Marks:
    """Files by their full paths; folders cannot be marked.

    Args:
        keys: Marked from the beginning.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._keys = dict.fromkeys(keys)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def keys(self) -> Set[str]:
        """A live view of the full paths."""
        return self._keys.keys()

    @property
    def paths(self) -> list[Path]:
        return [Path(key) for key in self._keys]

    def add(self, rows: Iterable[Row]) -> None:
        self._keys |= dict.fromkeys(_keys(rows))

    def add_paths(self, paths: Iterable[Path]) -> None:
        self._keys |= dict.fromkeys(map(str, paths))

    def flip(self, rows: Iterable[Row]) -> None:
        """Mark what is not marked, and the other way round."""
        for key in _keys(rows):
            if key in self._keys:
                del self._keys[key]
            else:
                self._keys[key] = None

    def clear(self) -> None:
        self._keys.clear()


def _keys(rows: Iterable[Row]) -> list[str]:
    return [row.key for row in rows if row.kind is not Kind.FOLDER]
