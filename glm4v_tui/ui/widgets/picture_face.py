"""What can be seen of a picture: rows of half blocks, real pixels, or a card of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from glm4v_tui.plain import plain_line
from glm4v_tui.ui.canvas import Canvas

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from textual.app import RenderResult
    from textual.strip import Strip

    from glm4v_tui.chat import Box
    from glm4v_tui.errors import GlmError
    from glm4v_tui.ui.paintings import Painting, Pixelled
    from glm4v_tui.ui.region_marks import Mark


class PictureFace(Widget):
    """Draws what it is given. ``Picture`` decides what that is, and when."""

    def __init__(
        self,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name for it
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._canvas = Canvas()
        self._card: Content | None = None

    @property
    def has_card(self) -> bool:
        return self._card is not None

    @property
    def has_rows(self) -> bool:
        return bool(self._canvas.rows)

    def put(self, painting: Painting) -> int:
        """Draw all of it. Returns the bytes that this sends."""
        self._drop_pixels()
        self._drop_card()
        size = self._canvas.put(painting)
        self.refresh()
        return size

    def put_rows(self, painting: Painting, rows: range) -> int:
        """Draw some rows over what is there. Returns the bytes that this sends."""
        size = self._canvas.put_rows(painting, rows)
        self.refresh(Region(0, rows.start, self._canvas.size.width, len(rows)))
        return size

    def put_frame(self, frame: Box | None) -> int:
        """Outline a part of the image over the rows. Returns the bytes that this sends."""
        return self._refresh_rows(*self._canvas.set_frame(frame))

    def put_marks(self, marks: Sequence[Mark]) -> int:
        """Draw these marks over the rows. Returns the bytes that this sends."""
        return self._refresh_rows(*self._canvas.set_marks(marks))

    def _refresh_rows(self, rows: list[int], size: int) -> int:
        if rows:
            self.refresh(*[Region(0, row, self._canvas.size.width, 1) for row in rows])
        return size

    def put_card(self, card: Content) -> None:
        """Text in the picture's place."""
        if card != self._card:
            self._canvas.clear()
            self._drop_pixels()
            self._card = card
            self._refresh_place()

    async def put_pixels(self, picture: Pixelled, kind: type[Widget]) -> None:
        """Real pixels, drawn by a widget of textual-image."""
        from glm4v_tui.ui.pixels import set_image

        self._canvas.clear()
        self._drop_card()
        if not self.children:
            await self.mount(kind())
        child = self.children[0]
        child.styles.width, child.styles.height = picture.columns, picture.rows
        self.styles.align_horizontal = self.styles.content_align_horizontal
        self.styles.align_vertical = self.styles.content_align_vertical
        set_image(child, picture.image)

    def wipe(self) -> None:
        """Show nothing."""
        self._canvas.clear()
        self._drop_pixels()
        self._drop_card()
        self.refresh()

    def _drop_pixels(self) -> None:
        if self.children:
            self.remove_children()

    def _drop_card(self) -> None:
        if self._card is not None:
            self._card = None
            self._refresh_place()

    def _refresh_place(self) -> None:
        self.refresh(layout=self.styles.is_auto_height or self.styles.is_auto_width)

    # What Textual asks for ---------------------------------------------------------------------

    def render(self) -> RenderResult:
        return self._card or ""

    def render_line(self, y: int) -> Strip:
        """Only where there is a border; else ``render_lines`` hands out the finished rows."""
        if not self._rows_fit:
            return super().render_line(y)
        left = self.gutter.left
        return self._canvas.rows[y + self.gutter.top].crop(left, left + self.content_size.width)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Finished rows as they are: Textual's own way would take their cells apart."""
        if not self._rows_fit or self.gutter != self.styles.padding:
            return super().render_lines(crop)
        rows = self._canvas.rows[crop.y : crop.bottom]
        return [row.crop(*crop.column_span) for row in rows]

    @property
    def _rows_fit(self) -> bool:
        """Whether there are rows for the size that the widget has now."""
        return self.has_rows and self._canvas.size == self.outer_size


def name_card(path: Path, size: tuple[int, int]) -> Content:
    """What stands for a picture where pictures are off."""
    return Content.assemble(plain_line(path.name), (f"  {size[0]}×{size[1]}", "$text-muted"))


def error_card(error: GlmError) -> Content:
    """Why there is no picture."""
    rest = [text for text in (error.body, error.remedy) if text]
    return Content.assemble(
        (plain_line(error.title), "bold $text-error"),
        *[(f"\n{plain_line(text)}", "$text-muted") for text in rest],
    )
