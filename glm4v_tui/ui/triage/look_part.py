"""Looking at an image: zoom, pan, boxes, window, contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.content import Content

from glm4v_tui.chat import Box
from glm4v_tui.plain import plain_line
from glm4v_tui.ui.region_marks import marks_of, tone_colors
from glm4v_tui.ui.triage.base import TriageBase
from glm4v_tui.ui.viewport import Viewport
from glm4v_tui.ui.widgets.picture import Picture, cell_ratio

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType

    from glm4v_tui.ui.region_marks import Mark

PAN = 0.25
"""The part of what is visible that one key press moves by."""
_AHEAD = 3
"""Images on each side that are decoded and painted before they are asked for."""


def _hidden(key: str, action: str, description: str, name: str, tooltip: str = "") -> Binding:
    return Binding(key, action, description, id=f"triage.{name}", show=False, tooltip=tooltip)


class LookPart(TriageBase):
    BINDINGS: ClassVar[list[BindingType]] = [
        _hidden("plus,equals_sign", "zoom(1)", "Zoom in", "zoom_in"),
        _hidden("minus,underscore", "zoom(-1)", "Zoom out", "zoom_out"),
        _hidden("0", "fit", "Fit to the screen", "fit"),
        _hidden("z", "actual", "One image pixel for each half cell", "actual",
                "Where a task has no labels, 1 does so too"),
        _hidden("shift+left,h", "pan(-1, 0)", "Pan left", "left"),
        _hidden("shift+right,l", "pan(1, 0)", "Pan right", "right"),
        _hidden("shift+up,k", "pan(0, -1)", "Pan up", "up"),
        _hidden("shift+down,j", "pan(0, 1)", "Pan down", "down"),
        _hidden("b", "marks", "Boxes", "boxes", "Show or hide the places that the result names"),
        _hidden("c", "contrast", "Contrast", "contrast",
                "Spread the values over the whole range, or as they are; the model sees neither"),
        _hidden("w", "window(1)", "Next window", "window",
                "The next window of values, of a task that has windows"),
        _hidden("W", "window(-1)", "Window before", "window_before"),
        _hidden("down", "scroll_result(1)", "Scroll the result down", "result_down"),
        _hidden("up", "scroll_result(-1)", "Scroll the result up", "result_up"),
    ]  # fmt: skip

    _has_marks = True

    # What the picture reports -------------------------------------------------------------------

    def on_picture_shown(self, message: Picture.Shown) -> None:
        message.stop()
        index = self._index
        if index is None or message.path != self._path:
            return
        self._learn_size(message.width, message.height)
        self.call_after_refresh(self._note_picture, index)
        self._show_line()
        self._make_ahead()

    def on_picture_failed(self, message: Picture.Failed) -> None:
        """The reason is shown in its place, and may be judged as well."""
        message.stop()
        if (index := self._index) is not None and message.path == self._path:
            self.call_after_refresh(self._note_picture, index)
            self._make_ahead()

    def _note_picture(self, index: int) -> None:
        self._sight.picture_came(index, self._picture.carried_at)

    def _make_ahead(self) -> None:
        """The next ones first: they are the likelier."""
        assert self._review is not None
        queue = self._review.queue
        order = [step for far in range(1, _AHEAD + 1) for step in (far, -far)]
        order.sort(key=lambda step: (step < 0, abs(step)))
        places = [queue.position + step for step in order]
        self._picture.make_ahead(
            [(queue.path(queue.at(place)), None) for place in places if 0 <= place < len(queue)],
            self._lens.variant,
        )

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit_view)

    def _learn_size(self, width: int, height: int) -> None:
        bounds = Box(0, 0, width, height)
        if self._view is None or self._view.bounds != bounds:
            self._view = Viewport(bounds, self._picture.space().cells, cell_ratio())

    def _fit_view(self) -> None:
        if self._view is not None and self._picture.outer_size:
            self._look(self._view.in_cells(self._picture.space().cells, cell_ratio()))

    # Keys ---------------------------------------------------------------------------------------

    def action_zoom(self, direction: int) -> None:
        if self._view is not None:
            self._look(self._view.zoomed_in() if direction > 0 else self._view.zoomed_out())

    def action_fit(self) -> None:
        if self._view is not None:
            self._look(self._view.fitted())

    def action_actual(self) -> None:
        if self._view is not None:
            self._look(self._view.zoomed_to(1.0))

    def action_pan(self, right: int, down: int) -> None:
        if self._view is not None and not self._view.is_whole:
            self._look(self._view.panned(right * PAN, down * PAN))

    def action_marks(self) -> None:
        self._has_marks = not self._has_marks
        self._show_marks()
        self._say("" if self._has_marks else "Boxes are hidden.")

    def action_contrast(self) -> None:
        self._lens.is_stretched = not self._lens.is_stretched
        self._show_picture()
        self._show_line()

    def action_window(self, step: int) -> None:
        if not self._lens.windows:
            self._say("This task has no windows of values.")
            return
        self._lens.step_window(step)
        self._show_picture()
        self._show_line()

    def action_scroll_result(self, lines: int) -> None:
        self._side.scroll_result(2 * lines)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_zoom(1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_zoom(-1)

    # What is on the screen ----------------------------------------------------------------------

    @property
    def visible_part(self) -> Box | None:
        """Of the image, in its pixels; None for all of it."""
        view = self._view
        return None if view is None or view.is_whole else view.region

    def _look(self, view: Viewport) -> None:
        self._view = view
        self._show_picture()
        self._show_line()

    def _show_picture(self) -> None:
        self._picture.show(self._path, self.visible_part, variant=self._lens.variant)

    def _show_marks(self) -> None:
        self._picture.set_marks(self._marks() if self._has_marks else ())

    def _marks(self) -> tuple[Mark, ...]:
        judged = self._judged.get(self._index) if self._index is not None else None
        outcome = getattr(judged, "outcome", None)
        if outcome is None or not outcome.regions:
            return ()
        return marks_of(outcome.regions[0], None, tone_colors(self.app.theme_variables))

    def _show_line(self) -> None:
        self._line.show(Content(" · ").join(self._line_parts()))

    def _line_parts(self) -> list[Content]:
        review, path, index = self._review, self._path, self._index
        if review is None or path is None or index is None:
            return []
        queue, standings = review.queue, review.standings
        place = f"{queue.position + 1:,}/{len(queue):,}"
        parts = [Content.assemble(f"{place} ", (self._file_name(path), "bold"))]
        if standings.is_flagged(index):
            parts.append(Content.styled("⚑ flagged", "$text-warning"))
        if (note := self._note_of(index)) != "":
            parts.append(Content.styled(f"note: {note}", "$text-accent"))
        if (view := self._view) is not None:
            scale = f"{view.scale:.0%}" if view.scale >= 0.1 else f"{view.scale:.1%}"
            parts.append(Content(f"{view.bounds.width}×{view.bounds.height} · {scale}"))
        if self._lens.windows:
            parts.append(Content(f"window {plain_line(self._lens.window)}"))
        if self._lens.is_stretched:
            parts.append(Content("contrast stretched"))
        return parts

    def _note_of(self, index: int) -> str:
        """The note of an image, on one line."""
        raise NotImplementedError
