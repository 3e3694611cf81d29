"""Where the parts of a model that is built and has no weights yet will go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from glm4v_tui.errors import CheckpointError
from glm4v_tui.gpu import read_host
from glm4v_tui.inference.arranging import measure_parts
from glm4v_tui.inference.layout import Layout, Room, Sizes, lay_out
from glm4v_tui.plan import shape_of
from glm4v_tui.plan.beside import beside_weights
from glm4v_tui.plan.rules import precision_from
from glm4v_tui.precision import Place

if TYPE_CHECKING:
    from glm4v_tui.inference.placement import Placement
    from glm4v_tui.plan.beside import Beside


def lay_out_model(model: Any, folder: str, placement: Placement) -> tuple[Layout, Sizes]:
    """Decide between GPUs, host memory and disk by the sizes of a model's parts.

    Args:
        model: On the meta device.
        folder: Of the checkpoint, for the memory plan.

    Returns:
        Where they go, and their sizes.
    """
    layers, tower, tower_layers, rest = measure_parts(model, placement.rules, in_host=True)
    host = read_host()
    sizes = Sizes(layers, tower, tower_layers, rest)
    if (beside := _beside_weights(folder, placement)) is not None:
        sizes = replace(sizes, beside=beside)
    layout = lay_out(
        sizes,
        Room(placement.gpus, host.available if host else 0),
        placement.vision,
        may_park=any(rule.place is Place.PARKED for rule in placement.rules),
    )
    if torch.cuda.is_available():
        torch.cuda.set_device(layout.gpu)  # where Triton's kernels run
    return layout, sizes


def _beside_weights(folder: str, placement: Placement) -> tuple[Beside, ...] | None:
    """What the memory plan says; None for a model that it cannot be made for."""
    precision = precision_from(placement.precision, placement.rules)
    try:
        return beside_weights(shape_of(Path(folder)), precision)
    except (CheckpointError, ValueError):
        return None
