"""Whether weights belong to the model that is loaded from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    import torch


def require_all_weights(folder: str, missing: list[str]) -> None:
    """transformers fills what is missing with random numbers and only warns."""
    if missing:
        raise CheckpointError(
            "The weights do not belong to this model",
            f"{folder} lacks {len(missing)} of the tensors that its config.json asks for, "
            f"{missing[0]} for one.",
            "Download the checkpoint again; config.json and weights must be of one version.",
        )


def wrong_shape(folder: str, name: str, shape: torch.Size) -> CheckpointError:
    return CheckpointError(
        "The weights do not belong to this model",
        f"{name} in {folder} has the shape {tuple(shape)}; config.json asks for another.",
        "Download the checkpoint again; config.json and weights must be of one version.",
    )


def is_quantized_already(folder: str) -> bool:
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    parts = (config, config.get("text_config") or {})
    return any(part.get("quantization_config") for part in parts)


def quantized_twice(precision: str) -> UsageError:
    return UsageError(
        "This checkpoint is quantized already",
        f"Its config.json says how; {precision} would have to be made from the original weights.",
        "Start with --precision auto, or name the original checkpoint.",
    )
