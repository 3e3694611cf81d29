"""Checkpoints that were published quantized: transformers loads them in its own layers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from transformers import AutoModelForImageTextToText
from transformers.utils import logging as transformers_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glm4v_tui.inference.placement import Placement

    OnBytes = Callable[[int, int], None]

_REPORT_EVERY_S = 0.05


def load_as_stored(
    folder: str, placement: Placement, sizes: dict[str, int], on_bytes: OnBytes
) -> tuple[Any, dict[str, Any]]:
    """The model and transformers' notes on what it found.

    Args:
        sizes: Name -> bytes of the stored tensors.
    """
    gpus = dict(placement.gpus)
    device_map: Any = {"": "cpu"}
    if gpus:
        device_map = "auto" if len(gpus) > 1 else {"": next(iter(gpus))}
    transformers_logging.set_tqdm_hook(_WeightCounter.hook(sizes, on_bytes))
    try:
        model, notes = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=placement.dtype,
            device_map=device_map,
            max_memory=gpus if len(gpus) > 1 else None,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    finally:
        transformers_logging.set_tqdm_hook(None)
    return model, notes


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
