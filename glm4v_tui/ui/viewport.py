"""Which part of an image is on the screen: zoom and pan as arithmetic.

Screen units are columns: a cell is one wide and ``cell_ratio`` high. A zoom of 1 gives one pixel of
the image to each of the two halves of a cell (where cells are twice as high as wide).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from glm4v_tui.chat import Box

STEP = 1.5
"""What one key press zooms by."""
CLOSEST = 32.0
"""Columns that one image pixel may take at most."""


@dataclass(frozen=True, slots=True)
class Viewport:
    """A view of an image. ``zoom`` None shows all of it."""

    bounds: Box
    """What can be seen at most: the whole upright image, or the part that was attached."""
    cells: tuple[int, int]
    cell_ratio: float = 2.0
    zoom: float | None = None
    """Columns for each image pixel."""
    center: tuple[float, float] = (0.0, 0.0)
    """Image pixels; meaningless while all is shown."""

    @property
    def fit_zoom(self) -> float:
        wide, high = self._screen
        return min(wide / self.bounds.width, high / self.bounds.height)

    @property
    def scale(self) -> float:
        """The zoom in force, columns for each image pixel."""
        return self.fit_zoom if self.zoom is None else self.zoom

    @property
    def is_whole(self) -> bool:
        return self.zoom is None or self.region == self.bounds

    @property
    def region(self) -> Box:
        """The visible part, in pixels of the upright image."""
        if self.zoom is None:
            return self.bounds
        wide, high = self._screen
        left, right = _span(self.center[0], wide / self.zoom, self.bounds.left, self.bounds.right)
        top, bottom = _span(self.center[1], high / self.zoom, self.bounds.top, self.bounds.bottom)
        return Box(left, top, right, bottom)

    def fitted(self) -> Viewport:
        return replace(self, zoom=None)

    def zoomed_to(self, zoom: float) -> Viewport:
        """The same center, another zoom; at or below the size that fits, all is shown."""
        if zoom <= self.fit_zoom:
            return self.fitted()
        return replace(self, zoom=min(zoom, CLOSEST), center=_middle(self.region))

    def zoomed_in(self) -> Viewport:
        return self.zoomed_to(self.scale * STEP)

    def zoomed_out(self) -> Viewport:
        return self.zoomed_to(self.scale / STEP)

    def panned(self, right: float, down: float) -> Viewport:
        """Move by parts of what is visible, as far as the image goes."""
        seen = self.region
        x, y = _middle(seen)
        moved = (x + right * seen.width, y + down * seen.height)
        return replace(self, center=_middle(replace(self, center=moved).region))

    def in_cells(self, cells: tuple[int, int], cell_ratio: float) -> Viewport:
        """The same view after the screen changed its size."""
        return replace(self, cells=cells, cell_ratio=cell_ratio, center=_middle(self.region))

    @property
    def _screen(self) -> tuple[int, float]:
        return self.cells[0], self.cells[1] * self.cell_ratio


def first_frame(region: Box) -> Box:
    """The middle half of what is visible, where a crop begins."""
    wide, high = region.width // 4, region.height // 4
    return Box(region.left + wide, region.top + high, region.right - wide, region.bottom - high)


def moved_frame(frame: Box, right: int, down: int, bounds: Box) -> Box:
    """Move a frame by image pixels, kept whole within the bounds."""
    x = min(max(right, bounds.left - frame.left), bounds.right - frame.right)
    y = min(max(down, bounds.top - frame.top), bounds.bottom - frame.bottom)
    return Box(frame.left + x, frame.top + y, frame.right + x, frame.bottom + y)


def resized_frame(frame: Box, wider: int, higher: int, bounds: Box) -> Box:
    """Move a frame's right and lower edge; it keeps at least one pixel."""
    right = min(max(frame.left + 1, frame.right + wider), bounds.right)
    bottom = min(max(frame.top + 1, frame.bottom + higher), bounds.bottom)
    return Box(frame.left, frame.top, right, bottom)


def _span(middle: float, length: float, start: int, end: int) -> tuple[int, int]:
    """Pixels ``length`` long about ``middle``, pushed into [start, end)."""
    pixels = max(1, round(length))
    if pixels >= end - start:
        return start, end
    first = min(max(start, round(middle - pixels / 2)), end - pixels)
    return first, first + pixels


def _middle(box: Box) -> tuple[float, float]:
    return (box.left + box.right) / 2, (box.top + box.bottom) / 2
