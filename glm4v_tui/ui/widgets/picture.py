"""A picture on the screen, drawn with half blocks. Never decodes or paints on the event loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from rich.style import Style
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.widget import Widget

from glm4v_tui.errors import GlmError
from glm4v_tui.plain import plain_line
from glm4v_tui.terminal import window_size
from glm4v_tui.ui.halfblock import ColorDepth
from glm4v_tui.ui.pace import QUIET, STILL, Pace
from glm4v_tui.ui.paintings import Order, Painting, Paintings, Quality, Space, fit, shared_paintings
from glm4v_tui.ui.picture_mode import picture_mode

if TYPE_CHECKING:
    from pathlib import Path

    from textual.app import RenderResult
    from textual.strip import Strip

    from glm4v_tui.chat import Box
    from glm4v_tui.ui.picture_mode import PictureMode

TALL = 100_000
"""Rows, where nothing bounds the height."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What to show: a file, or a part of it in pixels of the upright image."""

    path: Path
    crop: Box | None = None


class Picture(Widget):
    """Shows one image at a time, fitted into its space with its shape kept.

    ``show`` may be called as fast as keys repeat: the picture follows when they pause (see
    ``glm4v_tui.ui.pace``). Until then the one before stays; ``is_current`` tells. With
    ``height: auto`` it is as high as its width asks for, up to ``max-height``, and where the size
    is given up front the layout is right before anything is decoded. ``content-align`` places it.
    Drawn only where it can be seen: a picture that is scrolled out costs nothing.

    Args:
        path: The image; None for nothing yet.
        crop: The part of the upright image to show, in its pixels.
        image_size: (width, height) of the whole upright image, when it is known.
        paintings: Where pictures are made and kept; a shared one by default.
    """

    DEFAULT_CSS = """
    Picture { width: 1fr; height: 1fr; content-align: center middle; color: $text-muted; }
    """

    @dataclass
    class Shown(Message):
        """The picture is on the screen, or its card where pictures are off."""

        picture: Picture
        path: Path
        width: int
        """Pixels of the whole upright image."""
        height: int

        @property
        def control(self) -> Picture:
            return self.picture

    @dataclass
    class Failed(Message):
        """The file cannot be shown; the widget says why in the picture's place."""

        picture: Picture
        path: Path
        error: GlmError

        @property
        def control(self) -> Picture:
            return self.picture

    def __init__(
        self,
        path: Path | None = None,
        *,
        crop: Box | None = None,
        image_size: tuple[int, int] | None = None,
        paintings: Paintings | None = None,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name for it
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._subject = Subject(path, crop) if path else None
        self._image_size = image_size
        self._paintings = paintings or shared_paintings()
        self._wanted: tuple[Subject, Space] | None = None
        """What was begun last."""
        self._is_busy = False
        """Whether that is under way."""
        self._drawn: Subject | None = None
        """What can be seen, coarse or fine."""
        self._rows: list[Strip] = []
        self._painted_size = Size(0, 0)
        """The widget's size that the rows were made for."""
        self._card: Content | None = None
        """Text in the picture's place: an error, or name and size where pictures are off."""

    @property
    def is_current(self) -> bool:
        """Whether what is on the screen is what was asked for last."""
        return self._drawn is not None and self._drawn == self._subject

    @property
    def path(self) -> Path | None:
        """The image asked for last."""
        return self._subject.path if self._subject else None

    def show(
        self,
        path: Path | None,
        crop: Box | None = None,
        *,
        image_size: tuple[int, int] | None = None,
    ) -> None:
        """Show another image, or another part of this one, as soon as the keys pause."""
        subject = Subject(path, crop) if path else None
        if subject == self._subject:
            return
        is_other_file = subject is None or self._subject is None or path != self._subject.path
        self._subject = subject
        if is_other_file or image_size:
            self._image_size = image_size
        if subject is None:
            self._clear()
        elif self.is_on_screen and self.screen.find_widget(self).visible_region:
            self._begin()

    @cached_property
    def _pace(self) -> Pace:
        return Pace(self._mode.link)

    def space(self) -> Space:
        """The cells there are now, for painting ahead with the same ``Paintings``."""
        styles = self.styles
        return Space(
            width=self.outer_size.width,
            height=self.outer_size.height,
            padding=self.gutter,
            horizontal=styles.content_align_horizontal,
            vertical=styles.content_align_vertical,
            cell_ratio=cell_ratio(),
            style=Style(bgcolor=self.background_colors[1].rich_color),
            depth=ColorDepth(self.app.console.color_system or "truecolor"),
        )

    # What Textual asks for ---------------------------------------------------------------------

    def get_content_width(self, container: Size, viewport: Size) -> int:
        if self._card is not None:
            return super().get_content_width(container, viewport)
        shape = self._shape
        return fit(shape, (container.width, TALL), cell_ratio())[0] if shape else container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        if self._card is not None:
            return super().get_content_height(container, viewport, width)
        shape = self._shape
        return fit(shape, (width, TALL), cell_ratio())[1] if shape and width else 1

    def render(self) -> RenderResult:
        return self._card or ""

    def render_line(self, y: int) -> Strip:
        """Only where there is a border; else ``render_lines`` hands out the finished rows."""
        if self._card is not None or not self._rows_fit:
            return super().render_line(y)
        left = self.gutter.left
        return self._rows[y + self.gutter.top].crop(left, left + self.content_size.width)

    def render_lines(self, crop: Region) -> list[Strip]:
        self._look()
        if self._card is not None or not self._rows_fit or self.gutter != self.styles.padding:
            return super().render_lines(crop)
        return [row.crop(*crop.column_span) for row in self._rows[crop.y : crop.bottom]]

    # From the wish to the screen ---------------------------------------------------------------

    @property
    def _shape(self) -> tuple[int, int] | None:
        """Pixels of what is shown, as far as known."""
        crop = self._subject.crop if self._subject else None
        return (crop.width, crop.height) if crop else self._image_size

    @property
    def _rows_fit(self) -> bool:
        """Whether there are rows for the size that the widget has now."""
        return self._painted_size == self.outer_size and bool(self._rows)

    def _look(self) -> None:
        """Being drawn is what makes a picture begin."""
        if self._subject and self._wanted != (self._subject, self.space()):
            self.call_later(self._begin)

    def _begin(self) -> None:
        if self._subject is None or not self.is_attached or not self.outer_size:
            return
        wanted = (self._subject, self.space())
        if wanted != self._wanted:
            is_burst = self._is_busy
            self._wanted = wanted
            self._is_busy = True
            self.run_worker(self._bring(*wanted, is_burst), group="picture", exclusive=True)

    async def _bring(self, subject: Subject, space: Space, is_burst: bool) -> None:
        if is_burst:
            await asyncio.sleep(QUIET)
        try:
            if self._mode.images == "off":
                await self._bring_card(subject)
            elif self._needs_size:
                await self._bring_size(subject)
                return
            elif is_burst:
                await self._bring_coarse(subject, space)
            else:
                await self._bring_fine(subject, space)
        except GlmError as error:
            self._fail(subject, error)
        self._is_busy = False

    @property
    def _mode(self) -> PictureMode:
        return picture_mode(self.app)

    @property
    def _needs_size(self) -> bool:
        return self.styles.is_auto_height and self._shape is None

    async def _bring_size(self, subject: Subject) -> None:
        """Get the place right before anything is painted for the wrong one."""
        self._image_size = await self._paintings.measure(subject.path)
        self._wanted = None
        self._drop_card()
        self.refresh(layout=True)
        self.call_after_refresh(self._begin)

    async def _bring_card(self, subject: Subject) -> None:
        size = self._image_size or await self._paintings.measure(subject.path)
        self._image_size = size
        name = plain_line(subject.path.name)
        self._show_card(Content.assemble(name, (f"  {size[0]}x{size[1]}", "$text-muted")))
        self._announce(subject)

    async def _bring_fine(self, subject: Subject, space: Space) -> None:
        quiet = asyncio.get_running_loop().time() + QUIET
        painting = await self._paintings.make(Order(subject.path, subject.crop, space, self._best))
        if self._rows:
            await asyncio.sleep(quiet - asyncio.get_running_loop().time())
        if self._pace.fits(painting.size):
            self._put(subject, painting)
        else:
            await self._bring_coarse(subject, space)

    async def _bring_coarse(self, subject: Subject, space: Space) -> None:
        order = Order(subject.path, subject.crop, space, Quality.COARSE)
        self._put(subject, await self._paintings.make(order))
        fine = await self._paintings.make(replace(order, quality=self._best))
        await asyncio.sleep(max(STILL, self._pace.backlog))
        for rows in self._pace.bands(fine.sizes):
            self._put_rows(fine, rows)
            await asyncio.sleep(self._pace.backlog)

    @property
    def _best(self) -> Quality:
        return Quality.THRIFTY if self._mode.low_bandwidth else Quality.FINE

    def _put(self, subject: Subject, painting: Painting) -> None:
        """Draw all of it, and say so."""
        self._drop_card()
        self._rows = list(painting.strips)
        self._painted_size = Size(painting.order.space.width, painting.order.space.height)
        self._image_size = painting.image_size
        self._pace.sent(painting.size)
        self.refresh()
        self._announce(subject)

    def _put_rows(self, painting: Painting, rows: range) -> None:
        """Draw some rows over what is there."""
        self._rows[rows.start : rows.stop] = painting.strips[rows.start : rows.stop]
        self._pace.sent(sum(painting.sizes[row] for row in rows))
        self.refresh(Region(0, rows.start, painting.order.space.width, len(rows)))

    def _announce(self, subject: Subject) -> None:
        self._drawn = subject
        if self._image_size is not None:
            self.post_message(self.Shown(self, subject.path, *self._image_size))

    def _fail(self, subject: Subject, error: GlmError) -> None:
        self._drawn = subject
        lines = [(plain_line(error.title), "bold $text-error")]
        lines += [
            (f"\n{plain_line(text)}", "$text-muted") for text in (error.body, error.remedy) if text
        ]
        self._show_card(Content.assemble(*lines))
        self.post_message(self.Failed(self, subject.path, error))

    def _show_card(self, card: Content) -> None:
        if card != self._card:
            self._card = card
            self._rows = []
            self.refresh(layout=self.styles.is_auto_height or self.styles.is_auto_width)

    def _drop_card(self) -> None:
        if self._card is not None:
            self._card = None
            self.refresh(layout=self.styles.is_auto_height or self.styles.is_auto_width)

    def _clear(self) -> None:
        self.workers.cancel_group(self, "picture")
        self._wanted = self._drawn = None
        self._is_busy = False
        self._rows = []
        self._drop_card()
        self.refresh()


def cell_ratio() -> float:
    """Height of a cell divided by its width; 2 where the terminal does not tell its pixels."""
    columns, rows, width, height = window_size()
    if not (columns and rows and width and height):
        return 2.0
    return min(3.0, max(1.0, (height / rows) / (width / columns)))
