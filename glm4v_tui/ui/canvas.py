"""The rows of a picture that are on the screen, and what is drawn over them: marks and a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Size

from glm4v_tui.ui.halfblock import Outline, PaintedStrip, framed, outlined, output_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.strip import Strip

    from glm4v_tui.chat import Box
    from glm4v_tui.ui.paintings import Painting
    from glm4v_tui.ui.region_marks import Mark


class Canvas:
    """Rows of one painting, or of two while a fine one takes the place of a coarse one."""

    def __init__(self) -> None:
        self.size = Size(0, 0)
        """Cells that the rows were made for; 0 when there is nothing to see."""
        self.rows: list[Strip] = []
        self._bare: list[Strip] = []
        """The rows without marks and frame."""
        self._painting: Painting | None = None
        self._frame: Box | None = None
        self._marks: tuple[Mark, ...] = ()

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
        if frame == self._frame:
            return [], 0
        self._frame = frame
        return self._redrawn()

    def set_marks(self, marks: Sequence[Mark]) -> tuple[list[int], int]:
        """Draw these marks, and no others, over the picture. Returns as :meth:`set_frame`."""
        if tuple(marks) == self._marks:
            return [], 0
        self._marks = tuple(marks)
        return self._redrawn()

    def _redrawn(self) -> tuple[list[int], int]:
        before = self.rows.copy()
        self._draw(range(len(self.rows)))
        changed = [y for y, row in enumerate(self.rows) if not _is_same(row, before[y])]
        return changed, output_size([self.rows[y] for y in changed])

    def _draw(self, rows: Iterable[int]) -> int:
        edges = self._pixels_of(self._frame) if self._frame is not None else None
        outlines = self._outlines()
        for y in rows:
            self.rows[y] = self._row(y, edges, outlines)
        return output_size([self.rows[y] for y in rows])

    def _row(
        self, y: int, edges: tuple[int, int, int, int] | None, outlines: Sequence[Outline]
    ) -> Strip:
        strip = self._bare[y]
        if self._painting is None or not isinstance(strip, PaintedStrip):
            return strip
        row = y - self._painting.region.y
        if touching := [outline for outline in outlines if outline.touches(row)]:
            strip = outlined(strip, row, touching)
        if edges is None or row < edges[1] // 2 or 2 * row >= edges[3]:
            return strip
        return framed(strip, row, *edges)

    def _outlines(self) -> list[Outline]:
        """The marks that can be seen, their labels where no other label stands."""
        painting, taken = self._painting, set[tuple[int, int]]()
        if painting is None or painting.is_reshaped:
            return []
        found = []
        for mark in self._marks:
            if not _overlap(mark.box, painting.part):
                continue
            edges = self._pixels_of(mark.box)
            at = _label_place(edges, len(mark.label), painting.region.width, taken)
            taken |= {(at[0] + step, at[1]) for step in range(len(mark.label))}
            found.append(Outline(*edges, mark.color, mark.label, at))
        return found

    def _pixels_of(self, box: Box) -> tuple[int, int, int, int]:
        """A box in pixels of the painting; at least three wide and high, so that it shows."""
        assert self._painting is not None
        part, region = self._painting.part, self._painting.region
        left, right = _scaled(box.left - part.left, box.right - part.left, part.width, region.width)
        top, bottom = _scaled(
            box.top - part.top, box.bottom - part.top, part.height, 2 * region.height
        )
        return left, top, right, bottom


def _label_place(
    edges: tuple[int, int, int, int], length: int, columns: int, taken: set[tuple[int, int]]
) -> tuple[int, int]:
    """(column, row) of a free corner of the box; the first where all are taken."""
    left, top, right, bottom = edges
    first, last = top // 2, (bottom - 1) // 2
    end = max(0, right - length)
    corners = [(left, first), (end, first), (left, last), (end, last)]
    fitting = [(min(column, max(0, columns - length)), row) for column, row in corners]
    free = (
        at for at in fitting if not any((at[0] + step, at[1]) in taken for step in range(length))
    )
    return next(free, fitting[0])


def _overlap(box: Box, part: Box) -> bool:
    return (
        box.left < part.right
        and part.left < box.right
        and box.top < part.bottom
        and part.top < box.bottom
    )


def _scaled(start: int, end: int, image: int, painting: int) -> tuple[int, int]:
    first = min(max(0, round(start * painting / image)), max(0, painting - 3))
    last = min(max(first + 3, round(end * painting / image)), painting)
    return first, last


def _is_same(row: Strip, other: Strip) -> bool:
    if isinstance(row, PaintedStrip) and isinstance(other, PaintedStrip):
        return row.output == other.output
    return row is other
