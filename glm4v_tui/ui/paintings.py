"""Pictures ready to be drawn: decoded, fitted and painted in threads, kept while there is room."""

from __future__ import annotations

import asyncio
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from glm4v_tui.chat import Box
from glm4v_tui.ui import halfblock
from glm4v_tui.ui.byte_cache import ByteCache
from glm4v_tui.ui.pace import COARSE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from PIL.Image import Image
    from rich.style import Style
    from textual.geometry import Region, Spacing
    from textual.strip import Strip

    from glm4v_tui.images import Preparation

    Load = Callable[[Path, int, int, Box | None], Image]
    """(path, max_width, max_height, crop) -> upright RGB picture within that size."""
    Measure = Callable[[Path], tuple[int, int]]
    """path -> (width, height) of the upright image, from its header."""

KEPT_BYTES = 24 << 20
PREPARED_SIDE = 2048
"""Pixels of the longer side that prepared pictures are kept with."""
PREPARED_BYTES = 32 << 20
MAX_ENLARGEMENT = 8
"""A 28x28 digit should be seen, a 1x1 pixel need not fill the screen."""
SMALL_CELLS = {
    halfblock.ColorDepth.TRUECOLOR: 1400,
    halfblock.ColorDepth.PALETTE: 2800,
    halfblock.ColorDepth.ANSI: 5600,
}
"""Cells of a picture that saves bandwidth: about 40 KB."""


Value = TypeVar("Value")


class Quality(Enum):
    FINE = "fine"
    THRIFTY = "thrifty"
    """Fewer cells and 32 levels a channel, for ``--low-bandwidth``."""
    COARSE = "coarse"
    """A few dozen KB whatever the size, to be replaced soon."""


@dataclass(frozen=True, slots=True)
class Space:
    """The cells that a picture has, and what is around it."""

    width: int
    height: int
    padding: Spacing
    horizontal: str
    """``left``, ``center`` or ``right``."""
    vertical: str
    """``top``, ``middle`` or ``bottom``."""
    cell_ratio: float
    """Height of a cell divided by its width."""
    style: Style
    """The color behind the picture."""
    depth: halfblock.ColorDepth

    @property
    def cells(self) -> tuple[int, int]:
        """(columns, rows) inside of the padding, at least 1."""
        return max(1, self.width - self.padding.width), max(1, self.height - self.padding.height)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture as a task has prepared it for the model."""

    variant: str
    """``Attachment.variant``: says what is done."""
    part: Box | None = None
    """What of the upright image was prepared; None for all of it."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be painted."""

    path: Path
    crop: Box | None
    space: Space
    quality: Quality = Quality.FINE
    enlargement: float = MAX_ENLARGEMENT
    """How many columns an image pixel may take."""
    prepared: Prepared | None = None
    """None for the picture as it is."""


@dataclass(frozen=True, slots=True)
class Painting:
    """Rows for the whole space, blank ones included."""

    order: Order
    strips: list[Strip]
    sizes: list[int]
    """Bytes that each row sends."""
    region: Region
    """The cells of the picture itself."""
    image_size: tuple[int, int]
    """Pixels of the whole upright image."""
    is_reshaped: bool = False
    """A task made a picture of another shape of it: places in the image are not places here."""

    @property
    def part(self) -> Box:
        """What of the upright image is shown."""
        whole = self.order.prepared.part if self.order.prepared else None
        crop = self.order.crop or whole
        return _within(crop, self.image_size) or Box(0, 0, *self.image_size)

    @property
    def size(self) -> int:
        return sum(self.sizes)


@dataclass(frozen=True, slots=True)
class Pixelled:
    """A decoded picture and the cells that it is to fill."""

    image: Image
    columns: int
    rows: int
    image_size: tuple[int, int]
    """Pixels of the whole upright image."""


def fit(
    size: tuple[int, int],
    cells: tuple[int, int],
    cell_ratio: float = 2.0,
    enlargement: float = MAX_ENLARGEMENT,
) -> tuple[int, int]:
    """The columns and rows that an image of this size (pixels) takes within ``cells``."""
    (width, height), (columns, rows) = size, cells
    scale = min(columns / width, rows * cell_ratio / height, enlargement)
    wide, high = round(width * scale), round(height * scale / cell_ratio)
    return min(columns, max(1, wide)), min(rows, max(1, high))


class Paintings:
    """Makes paintings in its own threads and keeps the latest.

    Args:
        load: Decodes a reduced picture.
        measure: Reads an image's size.
        limit: Bytes kept of each, pixels and rows.
    """

    def __init__(
        self, load: Load | None = None, measure: Measure | None = None, limit: int = KEPT_BYTES
    ) -> None:
        self._load = load or _thumbnail
        self._measure = measure or _upright_size
        self._pixels: ByteCache[_Decoded] = ByteCache(limit)
        self._prepared: ByteCache[Image] = ByteCache(PREPARED_BYTES)
        self.preparation_of: Callable[[str], Preparation] | None = None
        """Variant -> what its task does; set by whoever knows the tasks. Raises GlmError."""
        self._paintings: ByteCache[Painting] = ByteCache(limit)
        self._pool = ThreadPoolExecutor(2, "picture")
        self._ahead = ThreadPoolExecutor(1, "picture-ahead")
        self._jobs: list[Future[Painting]] = []
        self._latest_source: _Source | None = None
        self._source_lock = threading.Lock()

    async def measure(self, path: Path) -> tuple[int, int]:
        """Width and height of the upright image. Raises ImageError."""
        return await self._in_thread(lambda: self._measure(path))

    async def measure_prepared(self, path: Path, prepared: Prepared) -> tuple[int, int]:
        """Width and height of what a task makes of an image, or of a reduced copy of it.

        Raises:
            GlmError: The file or the task's own code is at fault.
        """
        picture = await self._in_thread(lambda: self._prepare(path, prepared))
        return picture.size

    async def make(self, order: Order) -> Painting:
        """Decode and paint, or find it made.

        Raises:
            ImageError: The file cannot be shown.
        """
        return await self._in_thread(lambda: self._make(order))

    def made(self, order: Order) -> Painting | None:
        """The painting, if it is kept; asks the disk for no more than the file's time."""
        return self._paintings.kept((order, _stamp(order.path)))

    async def load(self, order: Order, cell: tuple[int, int]) -> Pixelled:
        """Decode for a terminal that shows pixels, ``cell`` (width, height) of them a cell.

        Raises:
            ImageError: The file cannot be shown.
        """
        return await self._in_thread(lambda: self._pixelled(order, cell))

    def make_ahead(self, orders: Sequence[Order]) -> None:
        """Make these when there is time; what was asked for ahead before is forgotten."""
        for job in self._jobs:
            job.cancel()
        self._jobs = [self._ahead.submit(self._make, order) for order in orders]

    async def _in_thread(self, work: Callable[[], Value]) -> Value:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _make(self, order: Order) -> Painting:
        stamp = _stamp(order.path)
        return self._paintings.get(
            (order, stamp), lambda: self._paint(order, stamp), _painting_bytes
        )

    def _pixelled(self, order: Order, cell: tuple[int, int]) -> Pixelled:
        size = self._measure(order.path)
        if order.prepared is not None:
            image, _ = self._prepared_part(order, size)
            columns, rows = fit(image.size, order.space.cells, cell[1] / cell[0], order.enlargement)
            return Pixelled(image, columns, rows, size)
        crop = _within(order.crop, size)
        part = (crop.width, crop.height) if crop else size
        columns, rows = fit(part, order.space.cells, cell[1] / cell[0], order.enlargement)
        image = self._load(order.path, columns * cell[0], rows * cell[1], crop)
        return Pixelled(image, columns, rows, size)

    def _paint(self, order: Order, stamp: object) -> Painting:
        columns, rows = _cells(order)
        ratio, enlargement = order.space.cell_ratio, order.enlargement
        key = (order.path, stamp, order.crop, order.prepared, columns, rows, ratio, enlargement)
        decoded = self._pixels.get(
            key,
            lambda: self._decode(order, (columns, rows), stamp),
            lambda kept: kept.pixels.nbytes + 500,
        )
        region = _place(order.space, decoded.pixels)
        strips = _strips(decoded.pixels, order, region)
        sizes = [halfblock.output_size([strip]) for strip in strips]
        return Painting(order, strips, sizes, region, decoded.image_size, decoded.is_reshaped)

    def _decode(self, order: Order, cells: tuple[int, int], stamp: object) -> _Decoded:
        import numpy as np
        from PIL.Image import Resampling

        size = self._measure(order.path)
        ratio = order.space.cell_ratio
        if order.prepared is not None:
            picture, is_reshaped = self._prepared_part(order, size)
            columns, rows = fit(picture.size, cells, ratio, order.enlargement)
            pixels = np.asarray(picture.resize((columns, 2 * rows), Resampling.BICUBIC))
            return _Decoded(pixels, size, is_reshaped)
        crop = _within(order.crop, size)
        part = crop or Box(0, 0, *size)
        columns, rows = fit((part.width, part.height), cells, ratio, order.enlargement)
        method = Resampling.NEAREST if columns > part.width else Resampling.BICUBIC
        grid = (columns, 2 * rows)
        if crop is None:
            image = self._load(order.path, columns, math.ceil(rows * ratio), None)
            return _Decoded(np.asarray(image.resize(grid, method)), size)
        source = self._source(order.path, stamp, crop, size, columns / crop.width)
        return _Decoded(np.asarray(source.image.resize(grid, method, source.place(crop))), size)

    def _prepared_part(self, order: Order, size: tuple[int, int]) -> tuple[Image, bool]:
        """What the order shows of a prepared picture, and whether its shape is another one.

        A picture of another shape is shown whole: nobody knows where a part of the image went.
        """
        assert order.prepared is not None
        picture = self._prepare(order.path, order.prepared)
        whole = _within(order.prepared.part, size) or Box(0, 0, *size)
        if not _same_shape(picture.size, (whole.width, whole.height)):
            return picture, True
        source = _Source(order.path, None, whole, picture)
        crop = order.crop
        if crop is None or crop == whole or not _holds(whole, crop):
            return picture, False
        left, top, right, bottom = source.place(crop)
        edges = (int(left), int(top), math.ceil(right), math.ceil(bottom))
        return picture.crop(edges), False

    def _prepare(self, path: Path, prepared: Prepared) -> Image:
        """The whole prepared picture, at most ``PREPARED_SIDE`` wide and high."""

        def prepare() -> Image:
            from glm4v_tui.errors import PluginError
            from glm4v_tui.images import thumbnail

            if self.preparation_of is None:
                raise PluginError("The task that prepares this image is not loaded")
            preparation = self.preparation_of(prepared.variant)
            side = PREPARED_SIDE
            return thumbnail(path, side, side, prepared.part, preparation)

        return self._prepared.get(
            (path, _stamp(path), prepared), prepare, lambda image: 3 * image.width * image.height
        )

    def _source(
        self, path: Path, stamp: object, crop: Box, size: tuple[int, int], scale: float
    ) -> _Source:
        """Pixels for a part of an image and for what is about it.

        A JPEG must be decoded whole for any part of it, so more is taken than is asked for, and
        the next steps of a pan or zoom find their pixels here.
        """
        with self._source_lock:  # a large file decoded twice at a time is twice the memory
            kept = self._latest_source
            if kept and kept.serves(path, stamp, crop, min(1.0, scale)):
                return kept
            box = _widened(crop, size)
            wide, high = (math.ceil(2 * scale * length) for length in (box.width, box.height))
            image = self._load(path, wide, high, box)
            self._latest_source = source = _Source(path, stamp, box, image)
            return source


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Pixels for the cells, and the size of the whole upright image."""

    pixels: halfblock.Pixels
    image_size: tuple[int, int]
    is_reshaped: bool = False


@dataclass(frozen=True, slots=True)
class _Source:
    """A part of an image, reduced or as it is."""

    path: Path
    stamp: object
    box: Box
    image: Image

    def serves(self, path: Path, stamp: object, crop: Box, scale: float) -> bool:
        """Whether the crop is in here with at least ``scale`` pixels for each of the file's."""
        return (
            (path, stamp) == (self.path, self.stamp)
            and _within(crop, (self.box.right, self.box.bottom)) == crop
            and (crop.left >= self.box.left and crop.top >= self.box.top)
            and self.image.width >= 0.98 * scale * self.box.width
        )

    def place(self, crop: Box) -> tuple[float, float, float, float]:
        """Where the crop lies in the pixels here."""
        across = self.image.width / self.box.width
        down = self.image.height / self.box.height
        return (
            (crop.left - self.box.left) * across,
            (crop.top - self.box.top) * down,
            (crop.right - self.box.left) * across,
            (crop.bottom - self.box.top) * down,
        )


@cache
def shared_paintings() -> Paintings:
    """The one that pictures use that were not given another."""
    return Paintings()


def _cells(order: Order) -> tuple[int, int]:
    columns, rows = order.space.cells
    most = SMALL_CELLS[order.space.depth]
    if order.quality is Quality.THRIFTY and columns * rows > most:
        scale = math.sqrt(most / (columns * rows))
        return max(1, int(columns * scale)), max(1, int(rows * scale))
    return columns, rows


def _place(space: Space, pixels: halfblock.Pixels) -> Region:
    from textual.geometry import Region

    columns, rows = pixels.shape[1], pixels.shape[0] // 2
    left = space.padding.left + _before(space.cells[0] - columns, space.horizontal)
    top = space.padding.top + _before(space.cells[1] - rows, space.vertical)
    return Region(left, top, columns, rows)


def _strips(pixels: halfblock.Pixels, order: Order, region: Region) -> list[Strip]:
    from textual.strip import Strip

    space = order.space
    margin = halfblock.Margin(region.x, max(0, space.width - region.right), space.style)
    match order.quality:
        case Quality.FINE:
            rows = halfblock.paint(pixels, space.depth, margin)
        case Quality.THRIFTY:
            rows = halfblock.paint(halfblock.five_bits(pixels), space.depth, margin)
        case Quality.COARSE:
            rows = halfblock.paint_coarse(pixels, space.depth, margin, COARSE_BYTES)
    blank = Strip.blank(space.width, space.style)
    below = max(0, space.height - region.bottom)
    return [*[blank] * region.y, *rows, *[blank] * below][: space.height]


def _before(free: int, alignment: str) -> int:
    """How many of the free cells come before the picture."""
    if alignment in ("center", "middle"):
        return max(0, free) // 2
    return max(0, free) if alignment in ("right", "bottom") else 0


def _within(crop: Box | None, size: tuple[int, int]) -> Box | None:
    """The part of the crop that the image has; all of it when that is nothing."""
    if crop is None:
        return None
    width, height = size
    box = Box(max(0, crop.left), max(0, crop.top), min(width, crop.right), min(height, crop.bottom))
    return box if box.width > 0 and box.height > 0 else None


def _same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes are of one shape, but for the rounding of the smaller one."""
    (width, height), (wide, high) = one, other
    return abs(width * high - height * wide) <= 2 * max(wide, high)


def _holds(outer: Box, inner: Box) -> bool:
    return (
        outer.left <= inner.left < inner.right <= outer.right
        and outer.top <= inner.top < inner.bottom <= outer.bottom
    )


def _widened(crop: Box, size: tuple[int, int]) -> Box:
    """The crop and as much again on each side, where the image goes on."""
    wide, high = crop.width, crop.height
    around = Box(crop.left - wide, crop.top - high, crop.right + wide, crop.bottom + high)
    return _within(around, size) or crop


def _stamp(path: Path) -> object:
    """Tells a changed file from the one that was painted."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size


def _painting_bytes(painting: Painting) -> int:
    return sum(painting.sizes) + 12 * painting.order.space.width * len(painting.strips) + 2000


def _thumbnail(path: Path, max_width: int, max_height: int, crop: Box | None) -> Image:
    from glm4v_tui.images import thumbnail

    return thumbnail(path, max_width, max_height, crop)


def _upright_size(path: Path) -> tuple[int, int]:
    from glm4v_tui.images import inspect

    facts = inspect(path)
    return facts.width, facts.height
