"""From an attached file to the pixels that cross to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glm4v_tui.chat import Attachment
    from glm4v_tui.engine.protocol import RgbImage
    from glm4v_tui.tasks.plugins import Plugins


class PixelOpener:
    """Opens attached images for the model, each as its task wants it.

    Args:
        plugins: Where the tasks are; may be set later, before the first question of a task.
    """

    def __init__(self, plugins: Plugins | None = None) -> None:
        self.plugins = plugins

    def __call__(self, attachment: Attachment) -> RgbImage:
        """The pixels; for a thread: it decodes the whole file.

        Raises:
            ImageError: the file is gone, unreadable, or not the one that was attached.
            TaskError: the task that prepares it is gone, or fails.
        """
        from glm4v_tui import images
        from glm4v_tui.engine.protocol import RgbImage

        preparation = None
        if attachment.variant:
            from glm4v_tui.tasks.call import preparation_by_key

            preparation = preparation_by_key(self.plugins, attachment.variant)
        image = images.reopen(attachment, preparation=preparation)
        return RgbImage(image.width, image.height, image.tobytes())
