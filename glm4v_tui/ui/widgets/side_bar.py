"""At the right of a wide screen: the image that is talked about, and the memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.content import Content

from glm4v_tui.plain import plain_line
from glm4v_tui.ui.widgets.gauge import VramGauge
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from glm4v_tui.chat import Attachment
    from glm4v_tui.engine.protocol import MemoryReading
    from glm4v_tui.ui.widgets.picture import Picture


class SideBar(Vertical):
    DEFAULT_CSS = """
    SideBar {
        width: 34; padding: 1 1; background: $surface; border-left: solid $panel;
        .empty { color: $text-muted; height: 1fr; }
        .name { height: auto; }
        Picture { height: 1fr; }
        VramGauge { height: auto; max-height: 60%; margin-top: 1; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._picture: Picture | None = None
        self._shown: Attachment | None = None
        self._empty = Words("No image yet", classes="empty")
        self._caption = Words(classes="name")
        self._memory_gauge = VramGauge()

    def compose(self) -> ComposeResult:
        yield self._empty
        yield self._caption
        yield self._memory_gauge

    def toggle(self) -> None:
        """Hide it, or show it even where there is little room."""
        is_shown = self.display
        self.set_class(is_shown, "-hidden")
        self.set_class(not is_shown, "-asked-for")

    def show_memory(self, reading: MemoryReading | None) -> None:
        self._memory_gauge.update_worker(reading)

    def show_coming(self, needed: int | None) -> None:
        """See :meth:`VramGauge.update_coming`."""
        self._memory_gauge.update_coming(needed)

    def on_vram_gauge_room_lacking(self, message: VramGauge.RoomLacking) -> None:
        message.stop()  # the status line's gauge, which is always there, tells it

    def show_images(self, images: Sequence[Attachment]) -> None:
        """Preview the last of these images; its name and how many there are below it."""
        image = images[-1] if images else None
        if image == self._shown:
            return
        self._shown = image
        self._empty.display = image is None
        self._caption.show(_words(image, len(images)) if image else "")
        self._preview(image)

    def _preview(self, image: Attachment | None) -> None:
        if self._picture is None:
            if image is None:
                return
            # Not imported with the module: the first frame has no picture and no numpy.
            from glm4v_tui.ui.widgets.picture import Picture

            self._picture = Picture()
            self.mount(self._picture, before=0)
        self._picture.display = image is not None
        if image is None:
            self._picture.show(None)
        else:
            self._picture.show(Path(image.path), image.crop, variant=image.variant)


def _words(image: Attachment, count: int) -> Content:
    of = f"{count} images, the last one\n" if count > 1 else ""
    name = plain_line(Path(image.path).name)
    notes = "".join(f"\n{note}" for note in image.notes)
    facts = f"\n{image.width}×{image.height}{notes}"
    return Content.assemble((of, "$text-muted"), (name, "bold"), (facts, "$text-muted"))
