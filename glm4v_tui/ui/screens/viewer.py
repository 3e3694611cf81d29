"""Images at full screen: fit, zoom, pan, leaf through, and cut out a part to ask about."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from glm4v_tui.chat import Box
from glm4v_tui.errors import ImageError
from glm4v_tui.plain import plain_line
from glm4v_tui.ui.viewport import Viewport, first_frame, moved_frame, resized_frame
from glm4v_tui.ui.widgets.picture import Picture, cell_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from glm4v_tui.images import ImageFacts
    from glm4v_tui.ui.paintings import Paintings
    from glm4v_tui.ui.region_marks import Mark

PAN = 0.25
"""The part of what is visible that one key press moves by."""


@dataclass(frozen=True, slots=True)
class ViewerItem:
    """An image to look at."""

    path: Path
    crop: Box | None = None
    """Only this part of the upright image is shown."""
    label: str = ""
    """What to call it; the file's name when empty."""
    marks: tuple[Mark, ...] = ()
    """Places in it that a result names."""
    variant: str = ""
    """What a task does to the pixels (``Attachment.variant``)."""


@dataclass(frozen=True, slots=True)
class AskAbout:
    """The user wants to ask about an image, or about a part of it."""

    path: Path
    box: Box | None
    """Pixels of the whole upright image; None for all of it."""


ViewerResult = AskAbout


def _hidden(key: str, action: str, description: str, name: str) -> Binding:
    return Binding(key, action, description, id=f"viewer.{name}", show=False)


class ViewerScreen(ModalScreen[ViewerResult | None]):
    """Look at images one at a time.

    Enter asks about what is visible: the frame while there is one, else the visible part when
    zoomed in, else the whole item. Escape takes away the frame first, then closes.

    Args:
        items: At least one.
        index: Where to begin.
        paintings: Where pictures are made and kept; a shared one by default.
    """

    CSS_PATH = "../styles/viewer.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "ask", "Ask", id="viewer.ask",
                tooltip="Ask about the frame, or about what is visible"),
        Binding("n,pagedown,space", "step(1)", "Next", id="viewer.next"),
        Binding("p,pageup,backspace", "step(-1)", "Previous", id="viewer.previous"),
        Binding("plus,equals_sign", "zoom(1)", "Zoom", id="viewer.zoom_in", key_display="+/-"),
        Binding("c", "frame", "Crop", id="viewer.crop",
                tooltip="Cut out a part: arrows move it, Shift+arrows size it, Enter asks"),
        Binding("i", "facts", "Facts", id="viewer.facts"),
        Binding("b", "marks", "Boxes", id="viewer.boxes",
                tooltip="Show or hide the places that a result names"),
        Binding("escape,q", "leave", "Back", id="viewer.leave"),
        _hidden("minus,underscore", "zoom(-1)", "Zoom out", "zoom_out"),
        _hidden("f,0", "fit", "Fit to the screen", "fit"),
        _hidden("1", "actual", "One image pixel for each half cell", "actual"),
        _hidden("left,h", "move(-1, 0)", "Move left", "left"),
        _hidden("right,l", "move(1, 0)", "Move right", "right"),
        _hidden("up,k", "move(0, -1)", "Move up", "up"),
        _hidden("down,j", "move(0, 1)", "Move down", "down"),
        _hidden("shift+left,H", "size(-1, 0)", "Narrower frame", "narrower"),
        _hidden("shift+right,L", "size(1, 0)", "Wider frame", "wider"),
        _hidden("shift+up,K", "size(0, -1)", "Lower frame", "lower"),
        _hidden("shift+down,J", "size(0, 1)", "Higher frame", "higher"),
        _hidden("home", "step(-1000000)", "First image", "first"),
        _hidden("end", "step(1000000)", "Last image", "last"),
    ]  # fmt: skip

    def __init__(
        self, items: Sequence[ViewerItem], index: int = 0, paintings: Paintings | None = None
    ) -> None:
        super().__init__()
        self._items = list(items)
        self._index = min(max(0, index), len(self._items) - 1)
        self._paintings = paintings
        self._view: Viewport | None = None
        """None until the image's size is known."""
        self._frame: Box | None = None
        self._has_marks = True
        self._offers_marks = bool(self.item.marks)

    def compose(self) -> ComposeResult:
        yield Picture(id="picture", enlargement=float("inf"), paintings=self._paintings)
        yield Static(id="facts", markup=False)
        yield Static(id="line", markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self._show_item()

    @property
    def item(self) -> ViewerItem:
        return self._items[self._index]

    @property
    def _picture(self) -> Picture:
        return self.query_one("#picture", Picture)

    # What the picture reports ------------------------------------------------------------------

    def on_picture_shown(self, message: Picture.Shown) -> None:
        if message.path == self.item.path:
            self._learn_size(message.width, message.height)
            self._show_line()
            self._picture.make_ahead(
                (self._items[at].path, self._items[at].crop)
                for at in (self._index + 1, self._index - 1)
                if 0 <= at < len(self._items)
            )

    def on_picture_failed(self) -> None:
        self._view = None
        self._show_line()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit_view)

    def _learn_size(self, width: int, height: int) -> None:
        bounds = self.item.crop or Box(0, 0, width, height)
        if self._view is None or self._view.bounds != bounds:
            self._view = Viewport(bounds, self._picture.space().cells, cell_ratio())

    def _fit_view(self) -> None:
        if self._view is not None:
            self._look(self._view.in_cells(self._picture.space().cells, cell_ratio()))

    # Keys --------------------------------------------------------------------------------------

    def action_step(self, by: int) -> None:
        index = min(max(0, self._index + by), len(self._items) - 1)
        if index != self._index:
            self._index = index
            self._show_item()

    def action_zoom(self, direction: int) -> None:
        if self._view is not None:
            self._look(self._view.zoomed_in() if direction > 0 else self._view.zoomed_out())

    def action_fit(self) -> None:
        if self._view is not None:
            self._look(self._view.fitted())

    def action_actual(self) -> None:
        if self._view is not None:
            self._look(self._view.zoomed_to(1.0))

    def action_move(self, right: int, down: int) -> None:
        if self._view is None:
            return
        if self._frame is not None:
            wide, high = self._step
            bounds = self._view.region
            self._set_frame(moved_frame(self._frame, right * wide, down * high, bounds))
        elif not self._view.is_whole:
            self._look(self._view.panned(right * PAN, down * PAN))
        elif right:
            self.action_step(right)

    def action_size(self, wider: int, higher: int) -> None:
        if self._view is not None and self._frame is not None:
            wide, high = self._step
            bounds = self._view.region
            self._set_frame(resized_frame(self._frame, wider * wide, higher * high, bounds))

    def action_frame(self) -> None:
        if self._view is not None:
            self._set_frame(first_frame(self._view.region) if self._frame is None else None)

    def action_marks(self) -> None:
        self._has_marks = not self._has_marks
        self._show_marks()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:  # noqa: ARG002
        """Boxes are spoken of only where there are some."""
        return action != "marks" or bool(self.item.marks)

    def action_facts(self) -> None:
        self.toggle_class("-facts")
        if self.has_class("-facts"):
            self._read_facts(self.item.path)

    def action_ask(self) -> None:
        box = self.item.crop
        if self._frame is not None:
            box = self._frame
        elif self._view is not None and not self._view.is_whole:
            box = self._view.region
        self.dismiss(AskAbout(self.item.path, box))

    def action_leave(self) -> None:
        if self._frame is not None:
            self._set_frame(None)
        else:
            self.dismiss(None)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_zoom(1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_zoom(-1)

    @property
    def _step(self) -> tuple[int, int]:
        """Image pixels that a frame moves by for one key press: about a cell."""
        assert self._view is not None
        wide = max(1, round(1 / self._view.scale))
        return wide, max(1, round(self._view.cell_ratio / self._view.scale))

    # What is on the screen ---------------------------------------------------------------------

    def _show_item(self) -> None:
        self._view = None
        self._set_frame(None)
        self._show_picture(self.item.crop)
        self._show_marks()
        if bool(self.item.marks) != self._offers_marks:  # a new footer costs too much at each step
            self._offers_marks = bool(self.item.marks)
            self.refresh_bindings()
        if self.has_class("-facts"):
            self._read_facts(self.item.path)

    def _look(self, view: Viewport) -> None:
        self._view = view
        self._show_picture(self.item.crop if view.is_whole else view.region)
        self._show_line()

    def _show_picture(self, crop: Box | None) -> None:
        item = self.item
        self._picture.show(item.path, crop, variant=item.variant, part=item.crop)

    def _show_marks(self) -> None:
        self._picture.set_marks(self.item.marks if self._has_marks else ())
        self._show_line()

    def _set_frame(self, frame: Box | None) -> None:
        self._frame = frame
        self.set_class(frame is not None, "-framing")
        self._show_line()
        self._picture.set_frame(frame)

    def _show_line(self) -> None:
        self.query_one("#line", Static).update(Content(" · ".join(self._line_parts())))

    def _line_parts(self) -> list[str]:
        name = plain_line(self.item.label or self.item.path.name)
        parts = [f"{self._index + 1}/{len(self._items)} {name}"]
        view = self._view
        if view is None:
            return parts
        if self._frame is not None:
            return [f"crop {_extent(self._frame)}", *parts]
        parts.append(f"{view.bounds.width}×{view.bounds.height}")
        parts.append(f"{view.scale:.0%}" if view.scale >= 0.1 else f"{view.scale:.1%}")
        if not view.is_whole:
            parts.append(_extent(view.region))
        if self._has_marks:
            parts += [f"{mark.label} {mark.name}" for mark in self.item.marks]
        return parts

    @work(exclusive=True, group="facts")
    async def _read_facts(self, path: Path) -> None:
        from glm4v_tui.images import inspect

        try:
            text = _facts_text(await asyncio.to_thread(inspect, path))
        except ImageError as error:
            text = plain_line(error.title)
        self.query_one("#facts", Static).update(Content(text))


def _extent(box: Box) -> str:
    return f"{box.width}×{box.height} at {box.left},{box.top}"


def _facts_text(facts: ImageFacts) -> str:
    lines = [
        plain_line(str(facts.path)),
        f"{facts.format}, {facts.width}×{facts.height}, {facts.mode}, {_bytes(facts.bytes)}",
    ]
    if facts.frames > 1:
        lines.append(f"{facts.frames} frames, the first is shown")
    return "\n".join([*lines, *map(plain_line, facts.notes)])


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
