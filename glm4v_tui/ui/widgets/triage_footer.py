"""The keys of a review in its last line, those that one must know before all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Footer
from textual.widgets._footer import FooterKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.app import ComposeResult
    from textual.widget import Widget

_ALL = 93
"""Cells that all of them take."""
_MOST = 75
"""Without those whose keys stand beside the image anyway, or whose sign it is."""
_SPARE = {"label(1)": "-spare", "flag": "-spare", "ask": "-rare", "help": "-rare"}
"""Action -> class: what gives way first, and what gives way next."""


class TriageFooter(Footer):
    """Where there is no room for all keys the rarer ones are left out, not the last ones cut off:
    help has them all."""

    DEFAULT_CSS = """
    TriageFooter.-tight .-spare, TriageFooter.-tighter .-spare, TriageFooter.-tighter .-rare {
        display: none;
    }
    """

    def __init__(self) -> None:
        super().__init__(compact=True, show_command_palette=False)

    def compose(self) -> ComposeResult:
        yield from map(_marked, self._keys())

    def _keys(self) -> Iterator[Widget]:
        yield from super().compose()

    def on_resize(self) -> None:
        width = self.size.width
        self.set_class(_MOST <= width < _ALL, "-tight")
        self.set_class(width < _MOST, "-tighter")


def _marked(key: Widget) -> Widget:
    if isinstance(key, FooterKey) and (name := _SPARE.get(key.action)):
        key.add_class(name)
    return key
