"""A model folder looked over before it is loaded."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.checkpoint.companions import companion_problems
from glm4v_tui.checkpoint.kind import context_length, kind_problem, read_config
from glm4v_tui.checkpoint.problem import Problem
from glm4v_tui.checkpoint.weights import (
    misplaced_problems,
    read_weights,
    surplus_problems,
    weight_names,
)
from glm4v_tui.errors import CheckpointError
from glm4v_tui.paths import expanded

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from glm4v_tui.checkpoint.weight_file import WeightFile


class CheckpointReport(msgspec.Struct, frozen=True):
    """What a model folder holds, and what is wrong with it."""

    folder: str
    problems: tuple[Problem, ...] = ()
    """Worst first; empty when it can be loaded."""
    hints: tuple[Problem, ...] = ()
    """What does not keep it from loading, and is not as it should be."""
    model_type: str = ""
    weight_bytes: int = 0
    """Bytes of all tensors in the files that are there."""
    parameters: int = 0
    dtype: str = ""
    """What most bytes are stored in, as safetensors writes it (``BF16``); empty when unknown."""
    context_length: int | None = None
    files: tuple[str, ...] = ()
    """Names of the weight files, those that are missing included."""

    @property
    def is_loadable(self) -> bool:
        return not self.problems

    def bytes_as(self, itemsize: int) -> int:
        """What the weights take in a format of so many bytes an element.

        Weights that are stored quantized are loaded as they are.
        """
        if self.dtype in ("F32", "F16", "BF16"):
            return self.parameters * itemsize
        return self.weight_bytes

    def require_loadable(self) -> None:
        """Raise the first problem as a :class:`CheckpointError`, naming how many more there are."""
        if self.problems:
            first, *others = self.problems
            body = first.body
            if others:
                body += "\nAlso: " + "; ".join(other.title for other in others) + "."
            raise CheckpointError(first.title, body, first.remedy)


def inspect_checkpoint(folder: Path) -> CheckpointReport:
    """Look a model folder over.

    Args:
        folder: A folder in the published layout (``config.json`` beside the weights).
    """
    folder = expanded(str(folder))
    config = read_config(folder)
    if isinstance(config, Problem):
        return CheckpointReport(str(folder), (config,))
    names = weight_names(folder)
    files = () if isinstance(names, Problem) else names
    weights, weight_problems = read_weights(folder, files)
    if isinstance(names, Problem):
        weight_problems.append(names)
    unknown = kind_problem(config)
    model_type = str(config.get("model_type", ""))
    return CheckpointReport(
        folder=str(folder),
        problems=(unknown,)
        if unknown is not None
        else (
            *weight_problems,
            *misplaced_problems(folder, weights),
            *companion_problems(folder, model_type),
        ),
        hints=() if unknown is not None else tuple(surplus_problems(folder, weights)),
        model_type=model_type,
        weight_bytes=sum(file.weight_bytes for file in weights.values()),
        parameters=sum(file.parameters for file in weights.values()),
        dtype=_main_dtype(weights.values()),
        context_length=context_length(config),
        files=files,
    )


def _main_dtype(weights: Iterable[WeightFile]) -> str:
    totals: Counter[str] = Counter()
    for file in weights:
        totals.update(file.dtypes)
    return totals.most_common(1)[0][0] if totals else ""
