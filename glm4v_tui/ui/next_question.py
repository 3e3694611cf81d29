"""What the next question will need, forecast from the plan of the loaded model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from glm4v_tui.errors import GlmError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.engine.protocol import ModelInfo
    from glm4v_tui.plan import Shape

    Size = tuple[int, int]

_CHARACTERS = 3
"""Of a question's text, to a token: fewer than usual, to forecast rather too much."""


def text_tokens(text: str) -> int:
    """About how many tokens a text has; rather too many."""
    return len(text) // _CHARACTERS


class NextQuestion:
    """Knows the shape of the loaded model, and what a question will need with it."""

    def __init__(self) -> None:
        self._shape: Shape | None = None
        self._model = ""
        self._last: tuple[object, int] | None = None

    async def learn(self, model: str) -> None:
        """Read the shape of a model that was loaded; unknown ones are not forecast for, nor
        is one that runs elsewhere (empty)."""
        if model == self._model:
            return
        self._model, self._shape, self._last = model, None, None
        if not model:
            return
        shape = await asyncio.to_thread(_shape_named, model)
        if model == self._model:
            self._shape = shape

    def needs(
        self, model: ModelInfo, prompt: int, text: str, answer: int, seen: Sequence[Size]
    ) -> int | None:
        """Bytes beside the weights; None as long as the model's shape is not known.

        Args:
            model: What the worker said of the loaded model.
            prompt: Tokens of the conversation so far and of the images that are attached.
            text: What is being written.
            answer: The most tokens of the answer.
            seen: (width, height) at which the model sees each image of the prompt.
        """
        if self._shape is None:
            return None
        prompt += text_tokens(text)
        key = (model.precision, model.device, prompt, answer, *seen)
        if self._last is None or self._last[0] != key:
            self._last = (key, _bytes(self._shape, model, prompt, answer, seen))
        return self._last[1]


def _bytes(shape: Shape, model: ModelInfo, prompt: int, answer: int, seen: Sequence[Size]) -> int:
    from glm4v_tui.plan import question_bytes

    on_gpu = model.device.startswith("cuda")
    return question_bytes(
        shape, model.precision, prompt=prompt, answer=answer, seen=seen, on_gpu=on_gpu
    )


def _shape_named(model: str) -> Shape | None:
    """In a thread, when the model is there: nothing of this is needed for the first frame."""
    from glm4v_tui.plan import known_shape
    from glm4v_tui.plan.finding import find_shape

    try:
        return known_shape(model) or find_shape(model)
    except (GlmError, OSError, ValueError):
        return None
