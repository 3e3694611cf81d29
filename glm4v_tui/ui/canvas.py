"""The rows of a picture that are on the screen, and the frame drawn over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Size

from glm4v_tui.ui.halfblock import PaintedStrip, framed, output_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.strip import Strip

    from glm4v_tui.chat import Box
    from glm4v_tui.ui.paintings import Painting


class Canvas:
    """Rows of one painting, or of two while a fine one takes the place of a coarse one."""

    def __init__(self) -> None:
        self.size = Size(0, 0)
        """Cells that the rows were made for; 0 when there is nothing to see."""
        self.rows: list[Strip] = []
        self._bare: list[Strip] = []
        """The rows without the frame."""
        self._painting: Painting | None = None
        self._frame: Box | None = None

    def clear(self) -> None:
        self.size = Size(0, 0)
        self.rows, self._bare, self._painting = [], [], None

    def put(self, painting: Painting) -> int:
        """Show all of it. Returns the bytes that drawing it takes."""
        space = painting.order.space
        self.size = Size(space.width, space.height)
        self._bare = list(painting.strips)
        self.rows = list(painting.strips)
        return self.put_rows(painting, range(len(self.rows)))

    def put_rows(self, painting: Painting, rows: range) -> int:
        """Show some rows of it over what is there. Returns the bytes that they take."""
        self._painting = painting
        self._bare[rows.start : rows.stop] = painting.strips[rows.start : rows.stop]
        return self._draw(rows)

    def set_frame(self, frame: Box | None) -> tuple[list[int], int]:
        """Outline a part of the image, or nothing.

        Args:
            frame: Pixels of the upright image.

        Returns:
            The rows that changed, and their bytes.
        """
        before, self._frame = self.rows.copy(), frame
        self._draw(range(len(self.rows)))
        changed = [y for y, row in enumerate(self.rows) if not _is_same(row, before[y])]
        return changed, output_size([self.rows[y] for y in changed])

    def _draw(self, rows: Iterable[int]) -> int:
        edges = self._frame_pixels()
        for y in rows:
            self.rows[y] = self._row(y, edges)
        return output_size([self.rows[y] for y in rows])

    def _row(self, y: int, edges: tuple[int, int, int, int] | None) -> Strip:
        strip = self._bare[y]
        if edges is None or self._painting is None or not isinstance(strip, PaintedStrip):
            return strip
        row, (_, top, _, bottom) = y - self._painting.region.y, edges
        if row < top // 2 or 2 * row >= bottom:
            return strip
        return framed(strip, row, *edges)

    def _frame_pixels(self) -> tuple[int, int, int, int] | None:
        """The frame in pixels of the painting; at least three wide and high, so that it shows."""
        if self._frame is None or self._painting is None:
            return None
        part, region = self._painting.part, self._painting.region
        left, right = _scaled(
            self._frame.left - part.left, self._frame.right - part.left, part.width, region.width
        )
        top, bottom = _scaled(
            self._frame.top - part.top,
            self._frame.bottom - part.top,
            part.height,
            2 * region.height,
        )
        return left, top, right, bottom


def _scaled(start: int, end: int, image: int, painting: int) -> tuple[int, int]:
    first = min(max(0, round(start * painting / image)), max(0, painting - 3))
    last = min(max(first + 3, round(end * painting / image)), painting)
    return first, last


def _is_same(row: Strip, other: Strip) -> bool:
    if isinstance(row, PaintedStrip) and isinstance(other, PaintedStrip):
        return row.output == other.output
    return row is other
