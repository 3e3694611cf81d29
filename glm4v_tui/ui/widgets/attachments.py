"""The images that will go with the next question."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content

from glm4v_tui.plain import plain_line
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from glm4v_tui.chat import Attachment

Size = tuple[int, int]

_MOST = 5
"""Images that are listed; of more, the first and the last ones."""


class AttachmentStrip(Words):
    """A line for each attached image: name, size, what the model will see, its cost."""

    DEFAULT_CSS = """
    AttachmentStrip {
        height: auto;
        max-height: 7;
        padding: 0 2;
        color: $text-muted;
        &.-empty { display: none; }
    }
    """

    def __init__(self) -> None:
        super().__init__(classes="-empty")

    def show_images(
        self,
        attachments: Sequence[Attachment],
        costs: Mapping[Size, tuple[Size, int]],
        opening: Sequence[str] = (),
    ) -> None:
        """Show what is attached.

        Args:
            attachments: In the order in which the model will get them.
            costs: (width, height) of an image -> (width, height) seen and image tokens.
            opening: Names of files that are still being read.
        """
        lines = [_line(number, image, costs) for number, image in enumerate(attachments, 1)]
        if len(lines) > _MOST:
            hidden = len(lines) - _MOST + 1
            lines[2 : 2 + hidden] = [Content(f"… and {hidden} more")]
        lines += [Content(f"… {plain_line(name)}") for name in opening]
        self.set_class(not lines, "-empty")
        self.show(Content("\n").join(lines))


_REFUSED = "the model refuses this shape, too long and thin: ask about a part (F2, then c)"


def _line(number: int, image: Attachment, costs: Mapping[Size, tuple[Size, int]]) -> Content:
    facts = [f"{image.width}×{image.height}"]
    if (image.width, image.height) in costs:
        (width, height), tokens = costs[image.width, image.height]
        facts.append(f"the model sees {width}×{height} = {tokens:,} tokens" if width else _REFUSED)
    if image.crop is not None:
        facts.append(f"part at {image.crop.left},{image.crop.top}")
    facts += image.notes
    name = plain_line(Path(image.path).name)
    return Content.assemble(
        (f"{number} ", "$text-accent"), (name, "bold $text"), "  ", " · ".join(facts)
    )
