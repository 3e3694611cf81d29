"""What an image costs: tokens, and the size at which the model will see it. No GPU needed."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, cast

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    Size = tuple[int, int]

_TRIAL_SIZE = (333, 211)
"""An odd size on which arithmetic is compared with the image processor itself."""


class ImageCost:
    """Tells what images of a size cost, and remembers it.

    GLM's and Qwen's processors resize by a function of the size alone, so arithmetic gives the
    answer; where there is no such function, or where it disagrees with what the processor does,
    a blank picture is sent through the processor.

    Args:
        processor: As ``AutoProcessor`` loads it.
        image_token_id: The token that stands for a piece of an image; None when unknown.
    """

    def __init__(self, processor: Any, image_token_id: int | None) -> None:
        self._processor = processor
        self._image_token_id = image_token_id
        self._known: dict[Size, tuple[Size, int]] = {}
        self._resize: Callable[[Size], Size] | None = None
        if (resize := _resize_rule(processor.image_processor)) and self._agrees(resize):
            self._resize = resize

    def measure(self, size: Size) -> tuple[Size, int]:
        """(width, height) -> the (width, height) that the vision tower gets, and the tokens.

        All zero for a size that the processor refuses (GLM's: longer than 200 times its width),
        and for every size where the model reads no images.
        """
        if self._processor.image_processor is None:
            return (0, 0), 0
        if size not in self._known:
            try:
                self._known[size] = self._measure(size)
            except ValueError:
                self._known[size] = ((0, 0), 0)
        return self._known[size]

    def _measure(self, size: Size) -> tuple[Size, int]:
        if self._resize is not None and hasattr(self._processor, "_get_num_multimodal_tokens"):
            return self._resize(size), self._counted(size)
        features = self._run(size)
        return self._seen(features), self._tokens(size)

    def _counted(self, size: Size) -> int:
        width, height = size
        counts = self._processor._get_num_multimodal_tokens(image_sizes=[(height, width)])
        return int(counts["num_image_tokens"][0])

    def _tokens(self, size: Size) -> int:
        """Count as the processor does when it writes the prompt: by writing one."""
        if hasattr(self._processor, "_get_num_multimodal_tokens"):
            return self._counted(size)
        token = getattr(self._processor, "image_token", None)
        if token is None or self._image_token_id is None:
            return 0
        inputs = self._processor(text=[token], images=[[_blank(size)]])
        return list(inputs["input_ids"][0]).count(self._image_token_id)

    def _run(self, size: Size) -> Any:
        return self._processor.image_processor(images=[_blank(size)], return_tensors="pt")

    def _seen(self, features: Any) -> Size:
        """Patches times their size, where patches are told; else the picture's own extent.

        A processor that cuts an image into tiles answers with the size of a tile.
        """
        if "image_grid_thw" in features:
            _, rows, columns = features["image_grid_thw"][0].tolist()
            patch = self._processor.image_processor.patch_size
            return columns * patch, rows * patch
        height, width = features["pixel_values"].shape[-2:]
        return int(width), int(height)

    def _agrees(self, resize: Callable[[Size], Size]) -> bool:
        return resize(_TRIAL_SIZE) == self._seen(self._run(_TRIAL_SIZE))


def _blank(size: tuple[int, int]) -> Image.Image:
    return Image.new("RGB", size)


def _resize_rule(image_processor: Any) -> Callable[[Size], Size] | None:
    """The processor's own ``smart_resize`` with its settings filled in, where there is one.

    GLM-4V-9B's processor, which is part of this program, tells the size itself.
    """
    if hasattr(image_processor, "seen_size"):
        return cast("Callable[[Size], Size]", image_processor.seen_size)
    module = sys.modules[type(image_processor).__module__]
    smart_resize = getattr(module, "smart_resize", None)
    if smart_resize is None:
        return None
    try:
        settings = _resize_settings(image_processor)
        wanted = inspect.signature(smart_resize).parameters
        settings = {name: value for name, value in settings.items() if name in wanted}
    except (AttributeError, TypeError):
        return None

    def resize(size: Size) -> Size:
        width, height = size
        new_height, new_width = smart_resize(height=height, width=width, **settings)
        return int(new_width), int(new_height)

    return resize


def _resize_settings(image_processor: Any) -> dict[str, int]:
    temporal = image_processor.temporal_patch_size
    return {
        "num_frames": temporal,
        "temporal_factor": temporal,
        "factor": image_processor.patch_size * image_processor.merge_size,
        "min_pixels": image_processor.size["shortest_edge"],
        "max_pixels": image_processor.size["longest_edge"],
    }
