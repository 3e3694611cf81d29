"""A model's kernels made ready while it is loaded, so that no question waits for a compiler."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch

from glm4v_tui.inference.kernels.ahead import Compiling, rehearsing

if TYPE_CHECKING:
    from glm4v_tui.inference.language.writer import Writer
    from glm4v_tui.inference.prompt import Prompt

_ROOM = 64


@torch.inference_mode()
def compile_ahead(writer: Writer, prompt: Prompt) -> None:
    """Compile what an answer needs, then begin to compile what passes of several tokens need.

    Until those are ready answers come a token at a time.

    Args:
        writer: Of a model whose weights kernels take.
        prompt: One like those of questions, with an image.

    Raises:
        Exception: whatever going through it raises, as a question would. Kernels that are not
            compiled then are so when they are launched.
    """
    assert writer.weights is not None
    device = writer.stack.device
    try:
        with rehearsing() as needed:
            begun = writer.begin(prompt, _ROOM, lambda: False)
            writer.step_alone(begun)()
            _draw(begun.logits)
        compiling = Compiling(needed, device)
        writer.weights.try_out()
        with rehearsing() as later:
            for width in writer.steps.widths:
                writer.pass_alone(begun, width)()
        compiling.wait()
    finally:
        writer.release()  # nothing in there was computed
    later = {name: launch for name, launch in later.items() if name not in needed}
    writer.steps.use_passes_after(Compiling(later, device))


def _draw(logits: torch.Tensor) -> None:
    """All ways that a sampled token is drawn in."""
    from glm4v_tui.inference.kernels.drawing import draw

    flags = (None, torch.zeros_like(logits, dtype=torch.bool))
    for said, forbidden in itertools.product(flags, flags):
        draw(logits, said, forbidden, temperature=1.0, penalty=1.0, top_p=0.5, seed=1)
