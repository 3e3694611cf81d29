"""Errors told on the screen, in the same three parts as everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.plain import plain_line, plain_text

if TYPE_CHECKING:
    from textual.widget import Widget

    from glm4v_tui.errors import GlmError

_READING_S = 15
"""Long enough to read a remedy."""


def tell_error(widget: Widget, error: GlmError) -> None:
    """Show an error's title, reason and remedy over the screen for a while."""
    body = "\n".join(part for part in (error.body, error.remedy) if part)
    widget.notify(
        plain_text(body or error.title),
        title=plain_line(error.title) if body else "",
        severity="error",
        timeout=_READING_S,
        markup=False,
    )
