"""How many rows the parts of the model chooser take."""

from __future__ import annotations

from typing import NamedTuple

_LEAST_LIST = 3
"""Rows of the list that stay when the precisions take the others."""
_SPENT = 6
"""Rows of the frame, the line to type in, and up to three of words."""
_TALL = 24
"""Rows of the screen from which there are empty lines between the parts; as the app has it."""
_LOW = 16
"""Rows of the screen below which only the chosen precision is shown."""


class Frame(NamedTuple):
    """Rows of the frame and of the precisions in it."""

    box: int
    table: int


def fit_frame(screen: int, precisions: int, names: int) -> Frame:
    """Give the precisions as many rows as the list can spare, or one, and the frame no more than
    it needs.

    Args:
        screen: Rows of the screen.
        precisions: Rows that all precisions with their heading would take.
        names: Rows that the whole list would take.
    """
    margins = 3 if screen >= _TALL else 0
    most = screen * 9 // 10 if margins else screen
    spare = most - _SPENT - margins - _LEAST_LIST
    table = 1 if screen < _LOW else max(1, min(precisions, spare))
    return Frame(min(most, _SPENT + margins + table + max(_LEAST_LIST, names)), table)
