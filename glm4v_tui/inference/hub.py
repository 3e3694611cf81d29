"""Fetches a checkpoint for the model's process: what ``glm4v-tui model pull`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.checkpoint import MAIN
from glm4v_tui.hub import pull

if TYPE_CHECKING:
    from collections.abc import Callable


def fetch_checkpoint(
    hub_id: str, on_bytes: Callable[[int, int], None], revision: str = MAIN
) -> str:
    """Download what is not there yet; return the folder.

    Args:
        hub_id: ``owner/name``.
        on_bytes: Told (bytes here, bytes in all), from several threads.

    Raises:
        Exception: whatever huggingface_hub raises; ``failures`` puts it into words.
    """
    return pull(hub_id, revision, on_bytes=on_bytes).folder
