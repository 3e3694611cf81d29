"""Growing without being laid out twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widget import Widget

if TYPE_CHECKING:
    from textual.geometry import Size


class OneLayout(Widget):
    """A widget whose size is final when a layout has given it one.

    Textual lays the screen out again, and paints it again, whenever a layout has changed a
    widget's virtual size. Where nothing depends on that size, the second round finds nothing to
    do and costs as much as the first: for each line of a growing answer.

    Stands last among the bases: a widget takes its style sheet from the first one.
    """

    def _size_updated(
        self,
        size: Size,
        virtual_size: Size,
        container_size: Size,
        layout: bool = True,  # noqa: ARG002 - what this class is about
    ) -> bool:
        return super()._size_updated(size, virtual_size, container_size, layout=False)
