"""Tensors that a model needs and that neither its index nor its files have.

Files and index that agree with each other do not tell: a copy may have been made of less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.doctor.finding import Finding, Status
from glm4v_tui.errors import GlmError
from glm4v_tui.precision import Part

if TYPE_CHECKING:
    from pathlib import Path

    from glm4v_tui.plan import Lacking

_AGAIN = "ownload the checkpoint again; config.json, index and weights must be of one version."
_SHOWN = 3
_PARTS = {
    Part.LANGUAGE: "language model",
    Part.EMBEDDING: "embedding (embed_tokens)",
    Part.HEAD: "head (lm_head)",
    Part.VISION: "vision tower",
    Part.ADAPTER: "image adapter",
}


def check(folder: Path) -> Finding | None:
    """What a folder lacks whose files are whole; None when nothing is known to be missing."""
    from glm4v_tui.plan import find_lacking

    try:
        found = find_lacking(folder)
    except GlmError:
        return None  # its config.json says too little to know
    if not found:
        return None
    if found.is_certain:
        told = f"Tensors are missing that its config.json asks for: {_what(found)}"
        return Finding("model", "tensors", Status.FAIL, told, f"D{_AGAIN}")
    told = f"Layers lack what their siblings have, which may be meant so: {_what(found)}"
    return Finding("model", "tensors", Status.WARN, told, f"If it does not load: d{_AGAIN}")


def _what(found: Lacking) -> str:
    if found.names:
        more = f" and {len(found.names) - _SHOWN} more" if len(found.names) > _SHOWN else ""
        return ", ".join(found.names[:_SHOWN]) + more
    missing = found.parameters.items()
    return "; ".join(f"{count:,} parameters of its {_PARTS[part]}" for part, count in missing)
