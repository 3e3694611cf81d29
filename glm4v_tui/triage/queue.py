"""The images of a review in the order they come in, and where the reviewer is.

An image has a number that never changes (its place by name) and a position in what is shown now,
which order and filter decide. What is shown is a snapshot: nothing vanishes or jumps while the
reviewer works, but that images move behind the next few as the model learns how sure it is.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.triage.listing import Listing, list_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Key = Callable[[int], float]
    """What an image is sorted by, by its number; ``LAST`` where that is not known yet."""

STEADY = 5
"""Images after the current one that keep their positions."""
LAST = float("inf")


class Order(StrEnum):
    NAME = "name"
    UNCERTAIN = "uncertain"
    """The less probable the model's label is, the earlier."""
    LABEL = "label"
    """By the model's label."""


class Queue:
    """Positions are counted from 0 among what is shown; indexes are the numbers of images."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.position = 0
        """Of the current image; 0 also where nothing is shown."""
        self.version = 0
        """Grows whenever other images are shown, or in another order."""
        self._key: Key | None = None
        self._shown = array("I", range(len(listing)))

    @classmethod
    def of(cls, paths: Iterable[Path], *, recursive: bool = False) -> Queue:
        """Look for images.

        Raises:
            NotAnImageError: there is none.
        """
        return cls(list_images(paths, recursive=recursive))

    @property
    def total(self) -> int:
        """All images, shown or not."""
        return len(self.listing)

    def __len__(self) -> int:
        """How many are shown."""
        return len(self._shown)

    @property
    def index(self) -> int | None:
        """The number of the current image; None where nothing is shown."""
        return self._shown[self.position] if self._shown else None

    @property
    def current(self) -> Path | None:
        return None if self.index is None else self.path(self.index)

    def path(self, index: int) -> Path:
        return Path(self.listing.name(index))

    def at(self, position: int) -> int:
        """The number of the image that is shown at a position."""
        return self._shown[position]

    def position_of(self, index: int) -> int | None:
        """Where an image is shown; None where it is not."""
        try:
            return self._shown.index(index)
        except ValueError:
            return None

    def go(self, position: int) -> int:
        """To a position, or to the first or last where there is none such; where it has come to."""
        self.position = max(0, min(position, len(self) - 1))
        return self.position

    def move(self, by: int) -> bool:
        """That many on, or back; whether the position is another now."""
        before = self.position
        return self.go(before + by) != before

    def go_to(self, index: int) -> bool:
        """To an image by its number; whether it is shown."""
        position = self.position_of(index)
        if position is not None:
            self.position = position
        return position is not None

    def around(self, before: int, after: int) -> Sequence[int]:
        """The numbers of the images around the current one, itself among them."""
        return self._shown[max(0, self.position - before) : self.position + after + 1]

    def onward(self) -> Iterator[int]:
        """Positions after the current one to the last, then from the first up to it."""
        yield from range(self.position + 1, len(self))
        yield from range(self.position)

    # What is shown ------------------------------------------------------------------------------

    def show(
        self, indexes: Iterable[int], key: Key | None = None, *, is_current_first: bool = False
    ) -> None:
        """Show these images, in ascending order of ``key`` and by name where it is the same.

        The current image stays current if it is among them; else the first is.

        Args:
            is_current_first: It comes first, whatever its key, so that nothing is passed over.
        """
        current = self.index
        self._key = key
        self.version += 1
        chosen = sorted(indexes, key=lambda index: (key(index), index)) if key else indexes
        self._shown = array("I", chosen)
        self.position = 0
        if current is not None and self.go_to(current) and is_current_first:
            self._shown.insert(0, self._shown.pop(self.position))
            self.position = 0

    def replace(self, index: int) -> None:
        """The key of an image has changed: move it to where it belongs behind the next few."""
        steady = self.position + 1 + STEADY
        place = self.position_of(index) if self._key is not None else None
        if place is None or self._key is None or place < steady:
            return
        key = self._key
        del self._shown[place]
        wanted = bisect_left(
            self._shown, (key(index), index), lo=steady, key=lambda one: (key(one), one)
        )
        self._shown.insert(wanted, index)
