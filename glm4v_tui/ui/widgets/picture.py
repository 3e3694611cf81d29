"""A picture on the screen, drawn with half blocks. Never decodes or paints on the event loop."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rich.style import Style
from textual import work
from textual.message import Message

from glm4v_tui.errors import GlmError
from glm4v_tui.terminal import window_size
from glm4v_tui.ui.halfblock import color_depth
from glm4v_tui.ui.link_meter import measured_link
from glm4v_tui.ui.pace import (
    BAND_SECONDS,
    BURST_BYTES,
    BURST_QUIET,
    BURST_SECONDS,
    COARSE_BYTES,
    STILL,
    Pace,
)
from glm4v_tui.ui.paintings import (
    MAX_ENLARGEMENT,
    Order,
    Painting,
    Paintings,
    Prepared,
    Quality,
    Space,
    fit,
    shared_paintings,
)
from glm4v_tui.ui.picture_mode import picture_mode
from glm4v_tui.ui.widgets.picture_face import PictureFace, error_card, name_card

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from textual.geometry import Region, Size
    from textual.strip import Strip
    from textual.timer import Timer
    from textual.widget import Widget

    from glm4v_tui.chat import Box
    from glm4v_tui.ui.picture_mode import PictureMode
    from glm4v_tui.ui.region_marks import Mark

TALL = 100_000
"""Rows, where nothing bounds the height."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What to show: a file, or a part of it in pixels of the upright image."""

    path: Path
    crop: Box | None = None
    prepared: Prepared | None = None
    """As the task saw to it; None for the picture as it is."""


class Picture(PictureFace):
    """Shows one image at a time, fitted into its space with its shape kept.

    ``show`` may be called as fast as keys repeat: the picture follows when they pause (see
    ``glm4v_tui.ui.pace``). Until then the one before stays; ``is_current`` tells. With
    ``height: auto`` it is as high as its width asks for, up to ``max-height``, and where the size
    is given up front the layout is right before anything is decoded. ``content-align`` places it.
    Drawn only where it can be seen: a picture that is scrolled out costs nothing.

    Args:
        path: The image; None for nothing yet.
        crop: The part of the upright image to show, in its pixels.
        variant: What a task does to the pixels (``Attachment.variant``); empty for nothing.
        image_size: (width, height) of the whole upright image, when it is known.
        enlargement: How many columns an image pixel may take.
        eager: Draw at the very key, as soon as the link has carried what came before; for a
            screen that makes ahead what is shown next.
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
        variant: str = "",
        image_size: tuple[int, int] | None = None,
        enlargement: float = MAX_ENLARGEMENT,
        eager: bool = False,
        paintings: Paintings | None = None,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name for it
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._subject = _subject(path, crop, variant)
        self._image_size = image_size
        self._prepared_size: tuple[int, int] | None = None
        self._enlargement = enlargement
        self._is_eager = eager
        self._paintings = paintings or shared_paintings()
        self._wanted: tuple[Subject, Space] | None = None
        """What was begun last."""
        self._begun_at = -BURST_SECONDS
        self._is_busy = False
        """Whether that is under way."""
        self._drawn: Subject | None = None
        """What can be seen, coarse or fine."""
        self._frame: Box | None = None
        self._frame_timer: Timer | None = None
        self._marks: tuple[Mark, ...] = ()

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
        variant: str = "",
        part: Box | None = None,
        image_size: tuple[int, int] | None = None,
    ) -> None:
        """Show another image, or another part of this one, as soon as the keys pause.

        Args:
            variant: What a task does to the pixels; empty for nothing.
            part: What of the upright image the task prepared, where ``crop`` is less.
        """
        subject = _subject(path, crop, variant, part)
        if subject == self._subject:
            return
        if subject is None or self._subject is None or subject.prepared != self._subject.prepared:
            self._prepared_size = None
        is_other_file = subject is None or self._subject is None or path != self._subject.path
        self._subject = subject
        if is_other_file or image_size:
            self._image_size = image_size
        if subject is None:
            self._clear()
        elif (
            self.is_on_screen
            and self.screen.find_widget(self).visible_region
            and not (self._is_eager and self._put_made(subject))
        ):
            self._begin()

    @cached_property
    def _pace(self) -> Pace:
        return Pace(self._mode.link)

    def set_frame(self, frame: Box | None) -> None:
        """Outline a part of the image (pixels of the upright one) over the picture.

        May be called as fast as keys repeat: what a slow link cannot carry in time is left out.
        """
        if frame == self._frame:
            return
        self._frame = frame
        self._draw_over()

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """Outline places of the image, each with its label; these and no others."""
        if tuple(marks) == self._marks:
            return
        self._marks = tuple(marks)
        self._draw_over()

    def _draw_over(self) -> None:
        if self._mode.images in ("sixel", "kitty"):
            self._wanted = None  # half blocks take the pixels' place while something is drawn
            self._begin()
        if self._frame_timer is not None:
            self._frame_timer.stop()
        wait = self._pace.backlog - BAND_SECONDS
        if wait <= 0:
            self._draw_lines()
        else:
            self._frame_timer = self.set_timer(wait, self._draw_lines)

    @property
    def carried_at(self) -> float:
        """When the terminal will have, or had, what was drawn last (``time.monotonic()``)."""
        return time.monotonic() + self._pace.backlog

    def make_ahead(self, others: Iterable[tuple[Path, Box | None]], variant: str = "") -> None:
        """Decode and paint what is likely to be shown next, one by one in a thread of its own."""
        if self.outer_size and self._mode.images == "half":
            space = self.space()
            self._paintings.make_ahead(
                [
                    self._order(subject, space, self._best)
                    for path, crop in others
                    if (subject := _subject(path, crop, variant)) is not None
                ]
            )

    def space(self) -> Space:
        """The cells that the picture has now."""
        styles = self.styles
        return Space(
            width=self.outer_size.width,
            height=self.outer_size.height,
            padding=self.gutter,
            horizontal=styles.content_align_horizontal,
            vertical=styles.content_align_vertical,
            cell_ratio=cell_ratio(),
            style=Style(bgcolor=self.background_colors[1].rich_color),
            depth=color_depth(self.app.console.color_system),
        )

    # What Textual asks for ---------------------------------------------------------------------

    def get_content_width(self, container: Size, viewport: Size) -> int:
        if self.has_card:
            return super().get_content_width(container, viewport)
        shape = self._shape
        rows = self.styles.max_height
        high = int(rows.value) if rows is not None and rows.is_cells else TALL
        cells = (container.width, high)
        return fit(shape, cells, cell_ratio(), self._enlargement)[0] if shape else container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        if self.has_card:
            return super().get_content_height(container, viewport, width)
        shape = self._shape
        return self._fit(shape, width)[1] if shape and width else 1

    def _fit(self, shape: tuple[int, int], width: int) -> tuple[int, int]:
        return fit(shape, (width, TALL), cell_ratio(), self._enlargement)

    def render_lines(self, crop: Region) -> list[Strip]:
        self._look()
        return super().render_lines(crop)

    # From the wish to the screen ---------------------------------------------------------------

    @property
    def _shape(self) -> tuple[int, int] | None:
        """Pixels of what is shown, as far as known."""
        if self._subject is not None and self._subject.prepared is not None:
            return self._prepared_size
        crop = self._subject.crop if self._subject else None
        return (crop.width, crop.height) if crop else self._image_size

    def _look(self) -> None:
        """Being drawn is what makes a picture begin."""
        if self.has_card and self.is_current:
            return  # text is right in any size
        if self._subject and self._wanted != (self._subject, self.space()):
            self.call_later(self._begin)

    def _begin(self) -> None:
        if self._subject is None or not self.is_attached or not self.outer_size:
            return
        wanted = (self._subject, self.space())
        if wanted != self._wanted:
            now = time.monotonic()
            is_burst = self._is_busy or now - self._begun_at < BURST_SECONDS
            self._wanted, self._begun_at = wanted, now
            self._is_busy = True
            self._bring(*wanted, is_burst)

    @work(group="picture", exclusive=True)
    async def _bring(self, subject: Subject, space: Space, is_burst: bool) -> None:
        limit = 0
        if subject == self._drawn:
            await asyncio.sleep(STILL)  # only the space changed, and may change again
        elif is_burst and not self._is_eager:
            limit = BURST_BYTES if await self._quiet(subject) else COARSE_BYTES
        try:
            if self._mode.images == "off":
                await self._bring_card(subject)
            elif self._needs_size:
                await self._bring_size(subject)
                return
            elif (kind := self._pixel_kind) is not None:
                await self._bring_pixels(subject, space, kind)
            elif self._is_eager:
                await self._bring_eagerly(subject, space, is_burst=is_burst)
            else:
                await self._bring_picture(subject, space, limit)
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
        if subject.prepared is not None:
            measured = self._paintings.measure_prepared(subject.path, subject.prepared)
            self._prepared_size = await measured
        else:
            self._image_size = await self._paintings.measure(subject.path)
        self._wanted, self._is_busy, self._begun_at = None, False, -BURST_SECONDS
        self._drop_card()
        self.refresh(layout=True)
        self.call_after_refresh(self._begin)

    async def _bring_card(self, subject: Subject) -> None:
        size = self._image_size or await self._paintings.measure(subject.path)
        self._image_size = size
        self.put_card(name_card(subject.path, size))
        self._announce(subject)

    @property
    def _pixel_kind(self) -> type[Widget] | None:
        """The widget that draws real pixels; None for half blocks, which can carry a frame."""
        images = self._mode.images
        if images not in ("sixel", "kitty") or self._frame is not None or self._marks:
            return None
        from glm4v_tui.ui.pixels import pixel_widget

        return pixel_widget(images)

    async def _bring_pixels(self, subject: Subject, space: Space, kind: type[Widget]) -> None:
        from glm4v_tui.ui.pixels import cell_size

        order = self._order(subject, space, Quality.FINE)
        found = await self._paintings.load(order, cell_size())
        self._image_size = found.image_size
        await self.put_pixels(found, kind)
        self._announce(subject)

    async def _quiet(self, subject: Subject) -> bool:
        """Wait until the keys pause; False: no need to, a view of this file may follow them."""
        is_same_file = self._drawn is not None and self._drawn.path == subject.path
        if is_same_file and self._pace.has_room:
            return False
        await asyncio.sleep(self._pace.burst_wait)
        return True

    async def _bring_picture(self, subject: Subject, space: Space, limit: int) -> None:
        """Draw it at once when it has at most ``limit`` bytes, else coarse first.

        A single key press (limit 0) decodes during the wait for a second one.
        """
        quiet = asyncio.get_running_loop().time() + self._pace.key_wait
        fine = await self._paintings.make(self._order(subject, space, self._best))
        if self.has_rows and not limit:
            await asyncio.sleep(quiet - asyncio.get_running_loop().time())
        if self._pace.fits(fine.size, limit):
            self._put(subject, fine)
        else:
            await self._put_in_steps(subject, fine)

    async def _bring_eagerly(self, subject: Subject, space: Space, *, is_burst: bool) -> None:
        """Draw it at its key, coarse where the link is slow; the next key may replace this."""
        self._pace.link = measured_link(self.app, self._mode.link)
        order = self._order(subject, space, self._best)
        wait = self._pace.eager_wait
        if is_burst and self._paintings.made(order) is None:
            wait = max(wait, BURST_QUIET)  # one that is only passed through is not decoded
        await asyncio.sleep(wait)
        fine = await self._paintings.make(order)
        await asyncio.sleep(self._pace.eager_wait)
        if self._pace.fits_eagerly(fine.size):
            self._put(subject, fine)
        else:
            await self._put_in_steps(subject, fine)

    def _put_made(self, subject: Subject) -> bool:
        """Draw a painting that is kept, in the frame of the key's other effects; whether it was."""
        pace, space = self._pace, self.space()
        pace.link = measured_link(self.app, self._mode.link)
        if self._mode.images != "half" or pace.eager_wait or not self.outer_size:
            return False
        fine = self._paintings.made(self._order(subject, space, self._best))
        if fine is None or not pace.fits_eagerly(fine.size):
            return False
        self.workers.cancel_group(self, "picture")
        self._wanted, self._begun_at, self._is_busy = (subject, space), time.monotonic(), False
        self._put(subject, fine)
        return True

    async def _put_in_steps(self, subject: Subject, fine: Painting) -> None:
        """Coarse at once; then, unless another is asked for, fine row by row."""
        coarse = self._order(subject, fine.order.space, Quality.COARSE)
        self._put(subject, await self._paintings.make(coarse))
        await asyncio.sleep(max(STILL, self._pace.backlog))
        for rows in self._pace.bands(fine.sizes):
            self._pace.sent(self.put_rows(fine, rows))
            await asyncio.sleep(BAND_SECONDS)

    def _order(self, subject: Subject, space: Space, quality: Quality) -> Order:
        return Order(
            subject.path, subject.crop, space, quality, self._enlargement, subject.prepared
        )

    @property
    def _best(self) -> Quality:
        return Quality.THRIFTY if self._mode.low_bandwidth else Quality.FINE

    def _put(self, subject: Subject, painting: Painting) -> None:
        self._image_size = painting.image_size
        self._pace.sent(self.put(painting))
        self._announce(subject)

    def _draw_lines(self) -> None:
        self._pace.sent(self.put_marks(self._marks) + self.put_frame(self._frame))

    def _announce(self, subject: Subject) -> None:
        self._drawn = subject
        if self._image_size is not None:
            self.post_message(self.Shown(self, subject.path, *self._image_size))

    def _fail(self, subject: Subject, error: GlmError) -> None:
        self._drawn = subject
        self.put_card(error_card(error))
        self.post_message(self.Failed(self, subject.path, error))

    def _clear(self) -> None:
        self.workers.cancel_group(self, "picture")
        self._wanted = self._drawn = None
        self._is_busy = False
        self.wipe()


def _subject(
    path: Path | None, crop: Box | None, variant: str, part: Box | None = None
) -> Subject | None:
    if path is None:
        return None
    return Subject(path, crop, Prepared(variant, part or crop) if variant else None)


def cell_ratio() -> float:
    """Height of a cell divided by its width; 2 where the terminal does not tell its pixels."""
    columns, rows, width, height = window_size()
    if not (columns and rows and width and height):
        return 2.0
    return min(3.0, max(1.0, (height / rows) / (width / columns)))
