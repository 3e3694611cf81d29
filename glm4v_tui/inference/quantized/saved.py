"""Quantized weights kept for the next start, in the user's cache: a folder a model and precision.

A folder is named by what its weights were made from, so a changed checkpoint or rule makes another;
so does another transformers, since the packed weights have the names that its model's tensors have.
The checkpoint's small files are beside them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import transformers

from glm4v_tui.checkpoint import inspect_checkpoint
from glm4v_tui.checkpoint.saved import ABOUT, Saved, home, read, remove, saved_weights
from glm4v_tui.errors import EngineError
from glm4v_tui.inference.quantized.quantizer import as_lists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from glm4v_tui.precision import Rule

__all__ = ["Saved", "find", "folder_for", "remove", "save", "saved_weights"]

_VERSION = 1
"""Of how weights are packed; a new one leaves old folders unused."""
_SHARD_BYTES = 2 << 30
_SPARE_BYTES = 1 << 30
"""What a disk must have left after saving."""


def folder_for(source: Path, precision: str, rules: tuple[Rule, ...], dtype: str) -> Path:
    """Where the packed weights of a checkpoint are, or would be."""
    made_with = (_VERSION, transformers.__version__, as_lists(rules), dtype)
    seal = hashlib.sha256(repr(made_with).encode())
    seal.update((source / "config.json").read_bytes())
    for name in inspect_checkpoint(source).files:
        facts = (source / name).stat()
        seal.update(repr((name, facts.st_size, facts.st_mtime_ns)).encode())
    return home() / f"{source.name}-{precision}-{seal.hexdigest()[:12]}"


def find(source: Path, precision: str, rules: tuple[Rule, ...], dtype: str) -> Path | None:
    """The folder with the packed weights of a checkpoint, when it is there and whole."""
    folder = folder_for(source, precision, rules, dtype)
    return folder if (folder / ABOUT).is_file() else None


def save(
    model: Any,
    source: Path,
    precision: str,
    rules: tuple[Rule, ...],
    dtype: str,
    on_bytes: Callable[[int, int], None],
) -> Saved:
    """Write the weights of a model whose parts are all in memory.

    Raises:
        EngineError: the disk has no room for them.
    """
    folder = folder_for(source, precision, rules, dtype)
    tensors = dict(_tensors(model))
    total = sum(tensor.nbytes for tensor in tensors.values())
    folder.parent.mkdir(parents=True, exist_ok=True)
    _require_room(folder.parent, total)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".writing-"))
    try:
        _write_shards(tensors, unfinished, lambda done: on_bytes(done, total))
        _copy_small_files(source, unfinished)
        about = Saved(str(source), precision, dtype, time.time())
        (unfinished / ABOUT).write_bytes(msgspec.json.encode(about))
        remove(folder)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return read(folder)


def _tensors(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Name -> tensor of the state, a shared one under its first name."""
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield name, tensor.detach()


def _write_shards(
    tensors: dict[str, torch.Tensor], folder: Path, on_bytes: Callable[[int], None]
) -> None:
    """One shard at a time is in host memory."""
    from safetensors.torch import save_file

    shards = list(_shards(tensors))
    places: dict[str, str] = {}
    done = 0
    for number, names in enumerate(shards, 1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        content = {name: tensors[name].cpu().contiguous() for name in names}
        save_file(content, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(names, file)
        done += sum(tensor.nbytes for tensor in content.values())
        on_bytes(done)
    index = {"metadata": {"total_size": done}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _shards(tensors: dict[str, torch.Tensor]) -> Iterator[list[str]]:
    names: list[str] = []
    size = 0
    for name, tensor in tensors.items():
        if names and size + tensor.nbytes > _SHARD_BYTES:
            yield names
            names, size = [], 0
        names.append(name)
        size += tensor.nbytes
    yield names


def _copy_small_files(source: Path, target: Path) -> None:
    """What a load needs beside the weights: the model's and the generation's settings."""
    for name in ("config.json", "generation_config.json"):
        if (source / name).is_file():
            shutil.copy(source / name, target / name)


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE_BYTES:
        raise EngineError(
            "The disk has no room for the quantized weights",
            f"They take {needed / 2**30:.1f} GiB; {free / 2**30:.1f} GiB are free in {folder}.",
            "Make room, or set XDG_CACHE_HOME to a folder on a larger disk.",
        )
