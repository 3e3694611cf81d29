"""GLM-4V-9B and GLM-4-9B of 2024 from their original folders, without the code that lies there.

The language half is transformers' own GLM; the EVA2-CLIP vision tower and its adapter are written
here. Weights are renamed and split while they are read, so no converted copy is made.
"""

from __future__ import annotations

MODEL_TYPE = "chatglm"


def register() -> None:
    """Teach transformers' auto classes to load original folders. Calling it again is harmless."""
    from glm4v_tui.inference.glm4v_9b.registration import register_classes

    register_classes()
