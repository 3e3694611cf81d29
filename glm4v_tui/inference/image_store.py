"""The pixels of a conversation's images: the recent ones in memory, older ones in a file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from typing import IO, NamedTuple

from glm4v_tui.engine.protocol import RgbImage

_MEMORY_BYTES = 512 << 20
"""A photo of 12 megapixels takes 36 MB; a long session sees hundreds."""


class _Spilled(NamedTuple):
    offset: int
    width: int
    height: int


class ImageStore:
    """Keeps every image that was put, in bounded memory.

    The file has no name from the moment it is made, so nothing stays behind, whatever happens.

    Args:
        memory_bytes: Pixels to keep in memory; the latest image always is.
    """

    def __init__(self, memory_bytes: int = _MEMORY_BYTES) -> None:
        self._memory_bytes = memory_bytes
        self._held: dict[str, RgbImage] = {}
        self._spilled: dict[str, _Spilled] = {}
        self._file: IO[bytes] | None = None
        self._kept: Counter[str] = Counter()
        self._dropped: set[str] = set()
        """Images that go when nobody keeps them any more."""

    def put(self, key: str, image: RgbImage) -> None:
        self._dropped.discard(key)
        if key not in self._spilled:
            self._held[key] = image
        while len(self._held) > 1 and self.held_bytes > self._memory_bytes:
            if not self._spill_oldest():
                return

    def spill(self) -> None:
        """Give the memory back: all images go to the file."""
        while self._held and self._spill_oldest():
            pass

    def _spill_oldest(self) -> bool:
        oldest = next(iter(self._held))
        try:
            self._spilled[oldest] = self._write(self._held[oldest])
        except OSError:  # a full disk: better too much memory than a lost image
            return False
        del self._held[oldest]
        return True

    def drop(self, key: str) -> None:
        """Let go of an image. Its place in the file is not used again."""
        if self._kept[key]:
            self._dropped.add(key)
            return
        self._held.pop(key, None)
        self._spilled.pop(key, None)

    def size(self, key: str) -> tuple[int, int] | None:
        """(width, height) of an image that was put."""
        image = self._held.get(key) or self._spilled.get(key)
        return None if image is None else (image.width, image.height)

    def keep(self, key: str) -> None:
        """Hold an image for a request that is answered later, also when it is dropped before."""
        self._kept[key] += 1

    def let_go(self, key: str) -> None:
        """The end of one :meth:`keep`."""
        self._kept[key] -= 1
        if self._kept[key] <= 0:
            del self._kept[key]
            if key in self._dropped:
                self._dropped.discard(key)
                self.drop(key)

    def get(self, key: str) -> RgbImage | None:
        """The image that was put under the key; None when none was, or its file is lost."""
        # Prompts are made in a thread, while another may send images to the file.
        if (image := self._held.get(key)) is not None:
            return image
        place = self._spilled.get(key)
        return None if place is None else self._read(place)

    @property
    def held_bytes(self) -> int:
        return sum(len(image.pixels) for image in self._held.values())

    def _write(self, image: RgbImage) -> _Spilled:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="glm4v-tui-", buffering=0)  # noqa: SIM115
        offset = os.lseek(self._file.fileno(), 0, os.SEEK_END)
        rest = memoryview(image.pixels)
        while rest:
            rest = rest[self._file.write(rest) :]
        return _Spilled(offset, image.width, image.height)

    def _read(self, place: _Spilled) -> RgbImage | None:
        assert self._file is not None
        length = place.width * place.height * 3
        with contextlib.suppress(OSError):
            pixels = os.pread(self._file.fileno(), length, place.offset)
            if len(pixels) == length:
                return RgbImage(place.width, place.height, pixels)
        return None
