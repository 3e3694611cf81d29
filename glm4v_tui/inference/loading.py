"""From a checkpoint's folder to a model and its processor, telling how far it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.utils import logging as transformers_logging

from glm4v_tui.checkpoint import Problem, read_config, tensor_bytes
from glm4v_tui.errors import CheckpointError
from glm4v_tui.inference.glm4v_9b import MODEL_TYPE, register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glm4v_tui.inference.placement import Placement

    OnBytes = Callable[[int, int], None]

_REPORT_EVERY_S = 0.05


def load_processor(folder: str) -> Any:
    """The checkpoint's processor: tokenizer, image processor and chat template."""
    _make_known(folder)
    processor = AutoProcessor.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    if not hasattr(processor, "image_processor"):
        raise CheckpointError(
            "The image processor cannot be loaded",
            f"{folder} yields a {type(processor).__name__}, which takes no images.",
            "Copy processor_config.json and preprocessor_config.json from the same checkpoint.",
        )
    return processor


def load_model(folder: str, placement: Placement, on_bytes: OnBytes) -> Any:
    """The checkpoint's weights in their place, ready for inference."""
    _make_known(folder)
    sizes = tensor_bytes(Path(folder))
    transformers_logging.set_tqdm_hook(_WeightCounter.hook(sizes, on_bytes))
    try:
        model, notes = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=placement.dtype,
            device_map=placement.device_map,
            max_memory=placement.max_memory,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    finally:
        transformers_logging.set_tqdm_hook(None)
    _require_all_weights(folder, sorted(notes["missing_keys"]))
    return model.eval()


def _make_known(folder: str) -> None:
    """Register what transformers does not know itself; importing it takes time, so only then."""
    config = read_config(Path(folder))
    if not isinstance(config, Problem) and config.get("model_type") == MODEL_TYPE:
        register()


def count_weights(model: Any) -> tuple[int, int]:
    """Bytes and elements of all parameters and buffers; tied ones count once."""
    tensors = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return sum(tensor.nbytes for tensor in tensors.values()), parameters


def _require_all_weights(folder: str, missing: list[str]) -> None:
    """transformers fills what is missing with random numbers and only warns."""
    if missing:
        raise CheckpointError(
            "The weights do not belong to this model",
            f"{folder} lacks {len(missing)} of the tensors that its config.json asks for, "
            f"{missing[0]} for one.",
            "Download the checkpoint again; config.json and weights must be of one version.",
        )


class _WeightCounter:
    """Stands in for transformers' progress bar over the parameters, and counts their bytes.

    The library iterates over (name, conversion) pairs; a conversion knows the names of the stored
    tensors that it takes, and the safetensors headers told what those weigh. So a single big file
    moves the bar as smoothly as many small ones.
    """

    def __init__(self, items: Any, sizes: dict[str, int], on_bytes: OnBytes) -> None:
        self._items = items
        self._sizes = sizes
        self._on_bytes = on_bytes

    @classmethod
    def hook(cls, sizes: dict[str, int], on_bytes: OnBytes) -> Any:
        def replace(factory: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if kwargs.get("desc") == "Loading weights" and args:
                return cls(args[0], sizes, on_bytes)
            return factory(*args, **(kwargs | {"disable": True}))

        return replace

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        total = sum(self._sizes.values())
        done = 0
        next_report = 0.0
        self._on_bytes(0, total)
        for name, conversion in self._items:
            yield name, conversion
            done += self._stored_bytes(name, conversion)
            if time.monotonic() >= next_report:
                next_report = time.monotonic() + _REPORT_EVERY_S
                self._on_bytes(min(done, total), total)
        self._on_bytes(total, total)

    def _stored_bytes(self, name: str, conversion: Any) -> int:
        targets = getattr(conversion, "layer_targets", {})
        sources = set().union(*targets.values()) if targets else {name}
        return sum(self._sizes.get(source, 0) for source in sources)


def use_threads(count: int) -> None:
    """Let torch compute with this many threads."""
    torch.set_num_threads(count)


def gpu_count() -> int:
    return torch.cuda.device_count()
