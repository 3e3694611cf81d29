"""Words in a place of a fixed size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from textual.visual import VisualType


class Line(Words):
    """Its height does not depend on what it says, so that other words are no other layout."""

    def update(self, content: VisualType = "", *, layout: bool = False) -> None:
        super().update(content, layout=layout)


class FewLines(Words):
    """As high as its words need; laid out only where they need another number of lines."""

    _shown_height = 0

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        height = self._height
        super().update(content, layout=layout and height != self._shown_height)
        self._shown_height = height

    @property
    def _height(self) -> int:
        """Lines, about: words are wrapped at spaces."""
        width = max(1, self.content_size.width)
        return sum(-(-max(1, len(line)) // width) for line in self.plain.split("\n"))
