"""The shape of a checkpoint, read from its ``config.json`` and the headers of its files."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from glm4v_tui.checkpoint import Problem, read_config, tensor_entries
from glm4v_tui.errors import CheckpointError
from glm4v_tui.plan.configs import GLM_FAMILY, ORIGINAL, language_of, vision_of
from glm4v_tui.plan.names import is_matrix, part_of
from glm4v_tui.plan.shape import Shape, Weight
from glm4v_tui.precision import Part

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from glm4v_tui.checkpoint import TensorEntry
    from glm4v_tui.plan.configs import Config

PROCESSOR = "preprocessor_config.json"
_FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
ORIGINAL_TABLE = "transformer.rotary_pos_emb.inv_freq"
"""Saved by the original, and read by nobody."""


def shape_of(folder: Path) -> Shape:
    """The shape of a model folder; no tensor is read, so this takes milliseconds.

    Raises:
        CheckpointError: a file is missing or damaged, or the configuration says too little.
    """
    config = read_config(folder)
    if isinstance(config, Problem):
        raise CheckpointError(config.title, config.body, config.remedy)
    processor = _json_or_nothing(folder / PROCESSOR)
    source = f"config.json and file headers in {folder}"
    return shape_from(folder.name, config, processor, tensor_entries(folder), source)


def shape_from(
    name: str, config: Config, processor: Config, entries: Mapping[str, TensorEntry], source: str
) -> Shape:
    """The shape that a configuration and the headers of all weight files describe.

    Raises:
        CheckpointError: the configuration says too little.
    """
    kind = str(config.get("model_type", ""))
    vision = vision_of(config, processor)
    stored = sum(entry.nbytes for entry in entries.values())
    floats = sum(entry.nbytes for entry in entries.values() if entry.dtype in _FLOATS)
    weights = _grouped(entries)
    is_tied = says_tied(config) or not any(weight.part is Part.HEAD for weight in weights)
    if is_tied:  # a head that is saved all the same is not loaded
        weights = tuple(weight for weight in weights if weight.part is not Part.HEAD)
    return Shape(
        name=name,
        model_type=kind,
        weights=weights,
        language=language_of(config),
        vision=vision,
        is_tied=is_tied,
        is_rough=kind not in GLM_FAMILY and kind != ORIGINAL,
        is_stored_quantized=2 * floats < stored,
        source=source,
    )


def says_tied(config: Config) -> bool:
    """Whether the head is to be the embedding."""
    text = config.get("text_config")
    nested = text if isinstance(text, dict) else {}
    return bool(config.get("tie_word_embeddings") or nested.get("tie_word_embeddings"))


def _grouped(entries: Mapping[str, TensorEntry]) -> tuple[Weight, ...]:
    """Tensors that are alike, counted: the layers of a model repeat."""
    alike = Counter(
        (part_of(name), entry.shape, is_matrix(name, entry.shape), entry.nbytes)
        for name, entry in entries.items()
        if name != ORIGINAL_TABLE
    )
    return tuple(
        Weight(part, shape, matrix, count, stored)
        for (part, shape, matrix, stored), count in alike.items()
    )


def _json_or_nothing(file: Path) -> Config:
    """A settings file that may be missing: then the family's usual values count."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
