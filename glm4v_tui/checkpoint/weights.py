"""The weight files of a folder: which belong to the checkpoint, and are they whole?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.checkpoint.problem import COPY_AGAIN, Problem
from glm4v_tui.checkpoint.weight_file import (
    TensorEntry,
    TruncatedError,
    WeightFile,
    WeightFileError,
    read_entries,
    read_weight_file,
)
from glm4v_tui.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


def tensor_bytes(folder: Path) -> dict[str, int]:
    """Name -> bytes of every tensor of a folder that :func:`inspect_checkpoint` found whole."""
    names = weight_names(folder)
    sizes: dict[str, int] = {}
    for name in () if isinstance(names, Problem) else names:
        sizes |= read_weight_file(folder / name).tensors
    return sizes


def tensor_entries(folder: Path) -> dict[str, TensorEntry]:
    """Name -> dtype, shape and place of every tensor of a folder.

    Raises:
        CheckpointError: which file is missing or damaged.
    """
    names = weight_names(folder)
    if isinstance(names, Problem):
        raise CheckpointError(names.title, names.body, names.remedy)
    entries: dict[str, TensorEntry] = {}
    for name in names:
        try:
            entries |= read_entries(folder / name)
        except (OSError, WeightFileError) as error:
            problem = _weight_problem(folder / name, error, len(names))
            raise CheckpointError(problem.title, problem.body, problem.remedy) from error
    return entries


def weight_names(folder: Path) -> tuple[str, ...] | Problem:
    """The names of the files that belong to the checkpoint, or why they are not to be known."""
    index = folder / INDEX
    if index.is_file():
        try:
            return tuple(sorted(set(_weight_map(index).values())))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return Problem(f"{INDEX} cannot be read", f"{index}: {error}", COPY_AGAIN)
    if (folder / SINGLE).is_file():
        return (SINGLE,)
    return _no_weights(folder)


def _weight_map(index: Path) -> dict[str, str]:
    weight_map: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    for name in weight_map.values():
        if Path(name).name != name:
            raise ValueError(f"{name!r} is not a plain file name")
    return weight_map


def _no_weights(folder: Path) -> Problem:
    if shards := sorted(file.name for file in folder.glob("*.safetensors")):
        return Problem(
            f"{INDEX} is missing",
            f"{folder} has {shards[0]} but no index that says which files belong together.",
            f"Copy or download {INDEX} from the same checkpoint.",
        )
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth")):
        return Problem(
            "The weights are not safetensors",
            f"{folder} has only pickled weights (.bin, .pt), and opening those can run any code.",
            "Use a safetensors version of the checkpoint; most hub repositories have one.",
        )
    return Problem(
        "The weights are missing",
        f"{folder} has no {SINGLE} and no {INDEX}.",
        "Download or copy the *.safetensors files into this folder.",
    )


def read_weights(
    folder: Path, names: tuple[str, ...]
) -> tuple[dict[str, WeightFile], list[Problem]]:
    weights: dict[str, WeightFile] = {}
    problems: list[Problem] = []
    for name in names:
        try:
            weights[name] = read_weight_file(folder / name)
        except (OSError, WeightFileError) as error:
            problems.append(_weight_problem(folder / name, error, len(names)))
    return weights, problems


def _weight_problem(file: Path, error: Exception, count: int) -> Problem:
    part = f"It is one of the checkpoint's {count} weight files." if count > 1 else ""
    match error:
        case FileNotFoundError():
            return Problem(
                f"{file.name} is missing",
                f"{file} does not exist. {part}".strip(),
                "Copy or download this file into the folder.",
            )
        case TruncatedError():
            title = f"{file.name} is truncated"
        case WeightFileError():
            title = f"{file.name} is damaged"
        case _:
            title = f"{file.name} cannot be read"
    remedy = "Run: git lfs pull" if "LFS" in str(error) else COPY_AGAIN
    return Problem(title, f"{file}: {error}. {part}".strip(), remedy)


def misplaced_problems(folder: Path, weights: dict[str, WeightFile]) -> Iterator[Problem]:
    """Tensors that the index promises and the file does not have: shards of two versions mixed."""
    index = folder / INDEX
    if not index.is_file() or not weights:
        return
    lacking: dict[str, list[str]] = {}
    for tensor, name in _weight_map(index).items():
        if name in weights and tensor not in weights[name].tensors:
            lacking.setdefault(name, []).append(tensor)
    for name, tensors in sorted(lacking.items()):
        yield Problem(
            f"{name} does not belong to this checkpoint",
            f"The index promises {len(tensors)} tensors in it that it does not have, "
            f"{tensors[0]} for one.",
            COPY_AGAIN,
        )


def surplus_problems(folder: Path, weights: dict[str, WeightFile]) -> Iterator[Problem]:
    """What is there and not promised: harmless as such, but a sign of versions that were mixed."""
    index = folder / INDEX
    if not index.is_file() or not weights:
        return
    places = _weight_map(index)
    for name, file in sorted(weights.items()):
        more = [tensor for tensor in file.tensors if places.get(tensor) != name]
        if more:
            yield Problem(
                f"{name} has tensors that the index does not tell of",
                f"{len(more)} of them, {more[0]} for one: index and file may be of two versions.",
                f"Copy or download {INDEX} and {name} again, of one version.",
            )
    unused = [file for file in folder.glob("model*.safetensors") if file.name not in weights]
    unused = [file for file in unused if file.name not in places.values()]
    if unused:
        size = sum(file.stat().st_size for file in unused) / 2**30
        yield Problem(
            "There are weight files that do not belong to the checkpoint",
            f"{', '.join(sorted(file.name for file in unused)[:3])}: {size:.1f} GiB that the index "
            "does not name and nobody reads.",
            "Delete them, or copy the index that belongs to them.",
        )
