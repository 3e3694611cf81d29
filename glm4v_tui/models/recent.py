"""The models that were loaded last, remembered from one start to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.models.looks import is_model_name
from glm4v_tui.state import RecentModel, load_state, update_state

if TYPE_CHECKING:
    from glm4v_tui.engine.protocol import LoadModel

_KEPT = 8


def recent_models() -> tuple[RecentModel, ...]:
    """Those that were loaded before, the last one first. Blocks."""
    return load_state()[0].recent_models


def remember(command: LoadModel) -> None:
    """Note that a model was loaded. Blocks. The embedded one and the engines of the settings are
    always offered, and how they were loaded is not worth a line."""
    name = command.model
    if command.engine or name == str(CHECKPOINT) or not is_model_name(name):
        return
    last = RecentModel(name, command.precision, command.device)
    others = (one for one in recent_models() if one.model != name)
    update_state(recent_models=(last, *others)[:_KEPT])
