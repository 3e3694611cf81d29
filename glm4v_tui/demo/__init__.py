"""The embedded demo model: where its checkpoint and its sample images lie.

The rest of this package draws the training images, writes their questions and trains the model;
nothing of it is needed to run the model, and importing this module imports nothing heavy.
"""

from pathlib import Path

CHECKPOINT = Path(__file__).parent / "glm4v-demo"
SAMPLES = Path(__file__).parent / "samples"

TRAINED_TASKS = frozenset({"defect", "medical", "retail"})
"""Tasks whose forms the embedded model was trained to write; in any other it can only guess."""

__all__ = ["CHECKPOINT", "SAMPLES", "TRAINED_TASKS"]
