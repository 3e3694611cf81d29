"""What the next question will need on top of the loaded weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.plan.activations import (
    Images,
    decode_bytes,
    held_bytes,
    pixel_bytes,
    prefill_bytes,
    vision_bytes,
)
from glm4v_tui.plan.formats import itemsize
from glm4v_tui.plan.rules import PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.plan.shape import Shape

    Size = tuple[int, int]


def question_bytes(
    shape: Shape,
    precision: str,
    *,
    prompt: int,
    answer: int,
    seen: Sequence[Size],
    on_gpu: bool = True,
) -> int:
    """Bytes at the widest moment of one answer, the weights not counted.

    Args:
        shape: Of the loaded model.
        precision: That it was loaded in; one of the user's own is taken for bf16.
        prompt: Tokens of the prompt, those of images included.
        answer: The most tokens of the answer.
        seen: (width, height) at which the model sees each image of the prompt.
        on_gpu: There, feed-forward parts are fed in pieces.
    """
    named = PRECISIONS.get(precision, PRECISIONS["bf16"])
    kept = msgspec.structs.replace(named, in_pieces=on_gpu)
    size = itemsize(kept.compute)
    images = Images.seen(shape.vision, seen)
    kv = shape.kv_per_token * size // 2
    prompt = max(prompt, 1)
    reading = held_bytes(shape, images, prompt, kept) + kv * prompt
    reading += prefill_bytes(shape.language, prompt, kept)
    encoding = pixels = 0
    if shape.vision is not None and images.patches:
        pixels = pixel_bytes(shape.vision, images, kept)
        vectors = prompt * shape.language.hidden * size
        encoding = pixels + vectors + vision_bytes(shape.vision, images, kept)
    whole = kv * (prompt + answer)
    return max(encoding, reading, pixels + whole + decode_bytes(shape.language, whole))
