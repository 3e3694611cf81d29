"""What makes two results the same: the same question, asked of the same model.

Everything that can change an answer is in one of two digests. An image is named by its own content
(``Attachment.key``), so neither digest knows where anything lies.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.checkpoint import resolve_model
from glm4v_tui.engine_settings import engines_named
from glm4v_tui.errors import CheckpointError, NoModelError
from glm4v_tui.session import for_task
from glm4v_tui.tasks.call import make_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glm4v_tui.engine.protocol import LoadModel, Sampling
    from glm4v_tui.tasks.task import Language, Task

_PRECISIONS = ("bf16", "fp32")
_SETTINGS = (".json", ".jinja", ".txt", ".model", ".tiktoken", ".spm")
"""Suffixes of the files beside the weights that can change what a model says."""
_WHOLE = 64 << 20
"""Bytes of a weight file up to which all of it is read."""
_SAMPLES, _SAMPLE = 64, 4096
"""Of a larger file: places, evenly spread, and the bytes read at each."""


def asked_key(
    task: Task[Any, Any], options: msgspec.Struct, language: Language, sampling: Sampling
) -> str:
    """Digest of a task's question: all that decides the answer but for image and model.

    What a question says of an image's facts follows from the image, and is not in here.

    Raises:
        PluginError: the task's own code or form is at fault.
    """
    call = make_call(task, options, language, ())
    answers = [(label.name, label.answer) for label in task.labels if label.answer]
    parts = (
        *(call.task, call.version, call.options, language.value),
        *(task.question.in_language(language), call.system_prompt, call.schema),
        *(call.reasoning_tokens, for_task(sampling, call)),
        *(task.label_question.in_language(language), answers),
    )
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def model_key(command: LoadModel, precision: str = "") -> str:
    """Digest of a model: its files and the number format it runs in.

    Of weight files above 64 MiB, samples stand for the whole: a model that was trained further has
    the same sizes, but other numbers nearly everywhere.

    Args:
        command: Of an engine elsewhere the model's name there stands for the files, wherever it
            is served: another server of it, or one less, asks nothing anew.
        precision: As ``ModelInfo`` tells it. Empty before the model is loaded: then it is what
            ``auto`` will most likely be, as it is where the model has none (a script).
    """
    if command.engine:
        served = sorted({told.model for told in engines_named(command.engine).values()})
        return hashlib.sha256(msgspec.json.encode(served)).hexdigest()
    known = precision if precision in _PRECISIONS else expected_precision(command)
    told = (_content(command.model), known)
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


def expected_precision(command: LoadModel) -> str:
    """The number format that was asked for; of ``auto`` what it will most likely be, as
    ``inference.placement`` decides: bf16 on a GPU, else fp32."""
    if command.precision != "auto":
        return command.precision
    return "bf16" if command.device != "cpu" and _has_gpu() else "fp32"


def _has_gpu() -> bool:
    from glm4v_tui.gpu.nvml import read_gpus
    from glm4v_tui.gpu.readings import visible_gpus

    return bool(visible_gpus(read_gpus().gpus))


def _content(name: str) -> str:
    """What a model consists of; of one that is not here yet, its name."""
    try:
        folder = resolve_model(name).folder
    except (CheckpointError, NoModelError):
        folder = None
    if folder is None:
        return f"named {name}"
    files = tuple(_files(Path(folder)))
    return _digest(files)


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    """(path, bytes, time of change) of the files that a model is loaded from, by name."""
    with os.scandir(folder) as entries:
        found = [one for one in entries if one.name.endswith((".safetensors", *_SETTINGS))]
    for entry in sorted(found, key=lambda one: one.name):
        status = entry.stat()
        yield entry.path, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=8)
def _digest(files: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, size, _ in files:
        digest.update(f"{Path(path).name}\0{size}\0".encode())
        for part in _parts(path, size):
            digest.update(part)
    return digest.hexdigest()


def _parts(path: str, size: int) -> Iterator[bytes]:
    with Path(path).open("rb") as file:
        if size <= _WHOLE:
            yield hashlib.file_digest(file, "sha256").digest()
            return
        for place in range(_SAMPLES):
            file.seek(place * (size - _SAMPLE) // (_SAMPLES - 1))
            yield file.read(_SAMPLE)
