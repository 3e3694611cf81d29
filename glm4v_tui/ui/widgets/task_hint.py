"""The tasks that what is being written may name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from textual.content import Content

from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

_BEGUN = re.compile(r"/[\w-]*\Z")


def matching(text: str, names: Sequence[str]) -> list[str]:
    """The names that a text such as ``/de`` is the beginning of; none for other texts."""
    if not _BEGUN.match(text):
        return []
    return [name for name in names if name.startswith(text[1:].lower())]


class TaskHint(Words):
    """A line with names, there only while one is being written."""

    DEFAULT_CSS = """
    TaskHint {
        height: 1; padding: 0 2; color: $text-muted; display: none;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def show_names(self, text: str, names: Sequence[str]) -> None:
        """Show the names that the text may become."""
        found = matching(text, names)
        self.display = bool(found)
        if found:
            shown = Content("  ").join(Content.styled(f"/{name}", "$text-accent") for name in found)
            self.show(Content.assemble(shown, "  · Tab completes"))
