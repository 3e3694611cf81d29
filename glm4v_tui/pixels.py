"""From an attached file to the pixels that cross to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glm4v_tui.chat import Attachment
    from glm4v_tui.engine.protocol import RgbImage


def open_pixels(attachment: Attachment) -> RgbImage:
    """Open an attached image for the model; for a thread: it decodes the whole file.

    Raises:
        ImageError: the file is gone, unreadable, or not the one that was attached.
    """
    from glm4v_tui import images
    from glm4v_tui.engine.protocol import RgbImage

    image = images.reopen(attachment)
    return RgbImage(image.width, image.height, image.tobytes())
