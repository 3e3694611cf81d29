"""Tensors that a model needs and that no file of its folder has, nor its index.

Two looks, both at names and shapes alone. The layers of a model are alike, so one that has less
than its siblings lacks the rest; and of families whose code is known it is known how many
parameters each part has.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from math import prod
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.checkpoint import Problem, read_config, tensor_entries
from glm4v_tui.errors import CheckpointError
from glm4v_tui.plan.configs import ORIGINAL, language_of, vision_of
from glm4v_tui.plan.known import built_weights
from glm4v_tui.plan.names import part_of
from glm4v_tui.plan.reading import ORIGINAL_TABLE, says_tied
from glm4v_tui.precision import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from glm4v_tui.checkpoint import TensorEntry
    from glm4v_tui.plan.configs import Config

COUNTED = frozenset({"glm4v", "glm46v", ORIGINAL})
"""Families whose parameters are known from their configuration."""

_IN_LAYER = re.compile(r"(.*?)\.(\d+)\.(.+)")
_FEW = 3
_LEAST_TENSORS = 4
"""Fewer are steps of a small sequence (``mlp.0``, ``mlp.2``), of which not all have tensors."""


class Lacking(msgspec.Struct, frozen=True):
    """What a checkpoint lacks; empty when nothing is known to be missing."""

    names: tuple[str, ...] = ()
    """Tensors that a layer lacks and its siblings have."""
    parameters: dict[Part, int] = {}
    """By part: how many are missing of those that the configuration asks for."""
    is_certain: bool = False
    """False for a family whose layers may differ by design."""

    def __bool__(self) -> bool:
        return bool(self.names or self.parameters)


def find_lacking(folder: Path) -> Lacking:
    """Look for what a folder lacks; milliseconds, as no tensor is read.

    Raises:
        CheckpointError: a file is missing or damaged, or the configuration says too little.
    """
    config = read_config(folder)
    if isinstance(config, Problem):
        raise CheckpointError(config.title, config.body, config.remedy)
    entries = tensor_entries(folder)
    is_counted = config.get("model_type") in COUNTED and "quantization_config" not in config
    return Lacking(
        names=tuple(_gaps(entries, language_of(config).layers)),
        parameters=_shortage(config, entries) if is_counted else {},
        is_certain=is_counted,
    )


def _gaps(names: Mapping[str, TensorEntry], language_layers: int) -> Iterator[str]:
    """Names that follow from those of sibling layers."""
    stacks = _stacks(names)
    language = max(filter(_is_language, stacks), key=lambda stack: len(stacks[stack]), default=None)
    for stack, layers in stacks.items():
        usual = _usual(list(layers.values()))
        if len(usual) < _LEAST_TENSORS:
            continue
        count = max(max(layers) + 1, language_layers if stack == language else 0)
        for number in range(count):
            there = layers.get(number, frozenset())
            if there < usual:  # one with tensors of its own is of another kind
                yield from (f"{stack}.{number}.{name}" for name in sorted(usual - there))


def _stacks(names: Iterable[str]) -> dict[str, dict[int, frozenset[str]]]:
    """By name of a stack of layers: what each layer has."""
    found: defaultdict[str, defaultdict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name in names:
        if parts := _IN_LAYER.fullmatch(name):
            found[parts[1]][int(parts[2])].add(parts[3])
    return {
        stack: {number: frozenset(layer) for number, layer in layers.items()}
        for stack, layers in found.items()
    }


def _is_language(stack: str) -> bool:
    return part_of(f"{stack}.0.weight") is Part.LANGUAGE


def _usual(layers: list[frozenset[str]]) -> frozenset[str]:
    """What a layer has: as most of them; of a few, as the fullest."""
    return max(layers, key=len) if len(layers) <= _FEW else Counter(layers).most_common(1)[0][0]


def _shortage(config: Config, entries: Mapping[str, TensorEntry]) -> dict[Part, int]:
    text, vision = language_of(config), vision_of(config, {})
    wanted = Counter[Part]()
    for weight in built_weights(config, text, vision):
        wanted[weight.part] += weight.parameters
    if says_tied(config):
        del wanted[Part.HEAD]
    for name, entry in entries.items():
        if name != ORIGINAL_TABLE:
            wanted[part_of(name)] -= prod(entry.shape)
    return {part: count for part, count in wanted.items() if count > 0}
