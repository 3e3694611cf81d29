"""How images are shown to the reviewer: by which window, with how much contrast.

None of it reaches the model, which sees every image as the task's options have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.images import Preparation
from glm4v_tui.tasks.call import preparation_of
from glm4v_tui.tasks.command import choices_of, chosen_in, with_choices

if TYPE_CHECKING:
    import msgspec
    from PIL.Image import Image

    from glm4v_tui.images import Facts
    from glm4v_tui.tasks.call import AnyTask

WINDOW = "window"
"""The option of a task that names a window of values, as of CT."""
_STRETCHED = "stretched "
_LOW, _HIGH = 1, 99
"""Percentiles of the values that become black and white."""


class Lens:
    """Says which variant of a picture is shown, and makes it.

    Args:
        task: Whose preparation of pictures is shown.
        options: As the model is asked with.
    """

    def __init__(self, task: AnyTask, options: msgspec.Struct) -> None:
        self._task = task
        self._options = options
        self._made: dict[str, Preparation] = {}
        self.windows: tuple[str, ...] = tuple(choices_of(task).get(WINDOW, ()))
        """The presets that there are to choose among."""
        self.window = chosen_in(task, options).get(WINDOW, "")
        self.is_stretched = False

    def step_window(self, step: int) -> None:
        """The preset after or before; none to step to changes nothing."""
        if self.windows:
            at = self.windows.index(self.window) if self.window in self.windows else 0
            self.window = self.windows[(at + step) % len(self.windows)]

    @property
    def variant(self) -> str:
        """``Attachment.variant`` of what is shown; empty for the picture as it is."""
        options = self._options
        if self.window:
            options = with_choices(self._task, options, {WINDOW: self.window})
        own = preparation_of(self._task, options)
        shown = stretched(own) if self.is_stretched else own
        if shown is None:
            return ""
        self._made.setdefault(shown.key, shown)
        return shown.key

    def preparation(self, variant: str) -> Preparation:
        """What makes a variant. For a thread; only of variants that this lens has named."""
        return self._made[variant]


def stretched(own: Preparation | None) -> Preparation:
    """The picture, after the task's preparation, over the whole range from black to white."""

    def apply(image: Image, facts: Facts) -> Image:
        shown = own.apply(image, facts) if own is not None else None
        return stretch(image if shown is None else shown)

    return Preparation(_STRETCHED + (own.key if own is not None else ""), apply)


def stretch(image: Image) -> Image:
    """The first percentile of brightness becomes black, the last white; colors keep their hue.

    Args:
        image: Of any mode; what has one deep channel comes back with 8 bits.
    """
    import numpy as np

    from glm4v_tui.images import windowed

    values = np.asarray(image if _is_gray(image) else image.convert("RGB"))
    brightness = values if values.ndim == 2 else values.mean(axis=2)
    finite = brightness[np.isfinite(brightness)]
    if not finite.size:
        return image
    low, high = np.percentile(finite, (_LOW, _HIGH))
    if high <= low:
        return image
    if values.ndim == 2:
        return windowed(image, float(low + high) / 2 + 0.5, float(high - low) + 1)
    import PIL.Image

    spread = (values.astype(np.float32) - low) * (255 / (high - low))
    return PIL.Image.fromarray(spread.clip(0, 255).astype(np.uint8))


def _is_gray(image: Image) -> bool:
    return image.mode == "L" or image.mode.startswith(("I", "F"))
