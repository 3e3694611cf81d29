"""From a checkpoint's folder to a model and its processor, telling how far it is."""

from __future__ import annotations

import gc
import tempfile
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.utils import logging as transformers_logging

from glm4v_tui import paths
from glm4v_tui.checkpoint import Problem, read_config, tensor_bytes
from glm4v_tui.errors import CheckpointError
from glm4v_tui.inference.arranging import Arrangement, move_rest
from glm4v_tui.inference.as_stored import load_as_stored
from glm4v_tui.inference.glm4v_9b import MODEL_TYPE, register
from glm4v_tui.inference.laying_out import lay_out_model
from glm4v_tui.inference.quantized import saved
from glm4v_tui.inference.quantized.layers import QuantizedLayer
from glm4v_tui.inference.quantized.packed import load_packed
from glm4v_tui.inference.quantized.quantizer import RulesConfig
from glm4v_tui.inference.quantized.replace import split_tied_head
from glm4v_tui.inference.transfer import Conveyor, gpu_device
from glm4v_tui.inference.weight_checks import (
    is_quantized_already,
    quantized_twice,
    require_all_weights,
    wrong_shape,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glm4v_tui.inference.layout import Layout, Sizes
    from glm4v_tui.inference.placement import Placement

    OnBytes = Callable[[int, int], None]

_REPORT_EVERY_S = 0.05


@dataclass(frozen=True)
class Loaded:
    """A model ready for inference."""

    model: Any
    device: str
    """For people: ``cpu``, ``cuda:0``, ``cuda:0+1``, ``cuda:0+host``."""
    from_saved: bool = False
    """Its packed weights were there already."""
    save_s: float = 0.0
    """Seconds that keeping its packed weights took."""
    layout: Layout | None = None
    """Where its parts went; None on the CPU, and where transformers has placed them."""
    sizes: Sizes | None = None
    """Of the parts that ``layout`` has placed."""


def load_processor(folder: str) -> Any:
    """The checkpoint's processor: tokenizer, image processor and chat template."""
    make_known(folder)
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
    """The checkpoint's weights in their places, ready for inference; see :func:`load`."""
    return load(folder, placement, on_bytes).model


def load(folder: str, placement: Placement, on_bytes: OnBytes, *, keep: bool = False) -> Loaded:
    """Load a checkpoint, from weights packed before where there are any.

    Args:
        on_bytes: Told (bytes done, bytes of all).
        keep: Save quantized weights for the next time.

    Raises:
        CheckpointError: weights are missing or of other shapes.
        UsageError: a quantized checkpoint cannot be quantized again.
        OutOfMemoryError: GPUs, host memory and disk together are too small.
    """
    make_known(folder)
    if is_quantized_already(folder):
        if placement.is_quantized:
            raise quantized_twice(placement.precision)
        sizes = tensor_bytes(Path(folder))
        model, notes = load_as_stored(folder, placement, sizes, on_bytes)
        require_all_weights(folder, sorted(notes["missing_keys"]))
        return Loaded(model.eval(), str(model.device))
    return _Load(folder, placement, on_bytes).run(keep=keep)


class _Load:
    """One load. Tensors pass through it one by one and are mapped from their files until then."""

    def __init__(self, folder: str, placement: Placement, on_bytes: OnBytes) -> None:
        self._source, self._placement, self._on_bytes = folder, placement, on_bytes
        self._identity = (
            *(Path(folder), placement.precision, placement.rules, placement.dtype_name),
        )
        packed = saved.find(*self._identity) if placement.is_quantized else None
        self._is_packed = packed is not None
        self._folder = str(packed or folder)
        self._sizes = tensor_bytes(Path(self._folder))
        self._conveyor = Conveyor()
        self._arrangement: Arrangement | None = None
        self._layout: Layout | None = None
        self._part_sizes: Sizes | None = None
        self._shapes: dict[str, torch.Size] = {}
        self._done, self._next_report = 0, 0.0
        self._problem: Exception | None = None
        """What transformers will tell of as "some issues"."""

    def run(self, *, keep: bool) -> Loaded:
        self._tell(0)
        with _no_garbage_sought() if self._is_packed else nullcontext():
            return self._run(keep=keep)

    def _run(self, *, keep: bool) -> Loaded:
        model = self._load_weights()
        try:
            assert self._arrangement is not None
            move_rest(model, self._arrangement.device_of, self._send_counted)
        finally:
            self._conveyor.close()
        started = time.monotonic()
        if keep and self._placement.is_quantized and not self._is_packed:
            saved.save(model, *self._identity, lambda *_: None)
        save_s = time.monotonic() - started
        self._arrange(model)
        total = sum(self._sizes.values())
        self._on_bytes(total, total)
        layout = self._layout
        name = layout.name if layout else "cpu"
        return Loaded(model.eval(), name, self._is_packed, save_s, layout, self._part_sizes)

    def _load_weights(self) -> Any:
        if self._is_packed:
            model, lacking = load_packed(
                Path(self._folder), self._placement.dtype, self._placement.rules, self._on_skeleton
            )
        else:
            model, lacking = self._load_originals()
        require_all_weights(self._source, lacking)
        self._require_shapes(model)
        return model

    def _load_originals(self) -> tuple[Any, list[str]]:
        """The model, its matrices packed on the way, and the names of tensors that lack."""
        rules = RulesConfig(self._placement.rules, self._on_skeleton, self._pack)
        transformers_logging.set_tqdm_hook(
            lambda factory, args, kwargs: factory(*args, **(kwargs | {"disable": True}))
        )
        try:
            model, notes = AutoModelForImageTextToText.from_pretrained(
                self._folder,
                dtype=self._placement.dtype,
                device_map={"": "cpu"},
                quantization_config=rules,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        except RuntimeError:
            if self._problem is not None:
                raise self._problem from None
            raise
        finally:
            transformers_logging.set_tqdm_hook(None)
        return model, sorted(notes["missing_keys"])

    # While it loads -------------------------------------------------------------------------

    def _on_skeleton(self, model: Any) -> None:
        """The model is built and has no weights: decide where they go."""
        if self._placement.device != "cpu":
            self._layout, self._part_sizes = lay_out_model(model, self._source, self._placement)
        self._arrangement = Arrangement(model, self._placement.rules, self._layout)
        self._shapes = {name: tensor.shape for name, tensor in model.named_parameters()}

    def _pack(self, layer: QuantizedLayer, name: str, value: torch.Tensor) -> dict[str, Any]:
        """Quantize a matrix on the GPU, piece by piece, wherever it stays afterwards."""
        if value.shape != (layer.rows, layer.columns):
            self._problem = wrong_shape(self._source, name, value.shape)
            raise self._problem
        assert self._arrangement is not None
        place = self._arrangement.device_of(name)
        device = gpu_device(self._layout.gpu) if self._layout else place
        if place.type == "cuda":
            device = place
        try:
            packed = layer.pack(value, lambda piece: self._conveyor.send(piece, device))
        except torch.OutOfMemoryError as error:
            self._problem = error
            raise
        self._count(value)
        return {key: tensor.to(place) for key, tensor in packed.items()}

    def _send_counted(self, tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
        if tensor.device.type == "cpu":
            self._count(tensor)
        return self._conveyor.send(tensor, device)

    def _count(self, tensor: torch.Tensor) -> None:
        self._tell(self._done + tensor.nbytes)

    def _tell(self, done: int) -> None:
        self._done = done
        if time.monotonic() >= self._next_report:
            self._next_report = time.monotonic() + _REPORT_EVERY_S
            total = sum(self._sizes.values())
            self._on_bytes(min(done, total), total)

    # Afterwards -----------------------------------------------------------------------------

    def _arrange(self, model: Any) -> None:
        assert self._arrangement is not None
        device = gpu_device(self._layout.gpu) if self._layout else torch.device("cpu")
        split_tied_head(model, self._placement.rules, device)
        spool = paths.cache_dir() / "spool"
        spool.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=spool) as folder:
            self._arrangement.finish(model, Path(folder))
        if not self._is_packed:
            gc.collect()  # what conversions left in circles
        if device.type == "cuda":
            torch.cuda.empty_cache()

    def _require_shapes(self, model: Any) -> None:
        """transformers leaves this to the quantizer."""
        for name, tensor in model.named_parameters():
            owner = model.get_submodule(name.rpartition(".")[0])
            if not isinstance(owner, QuantizedLayer) and tensor.shape != self._shapes[name]:
                raise wrong_shape(self._source, name, tensor.shape)


@contextmanager
def _no_garbage_sought() -> Iterator[None]:
    """Thousands of new objects of which none is garbage: looking through all of them takes as long
    as building the model."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def make_known(folder: str) -> None:
    """Register what transformers does not know itself; importing it takes time, so only then."""
    config = read_config(Path(folder))
    if not isinstance(config, Problem) and config.get("model_type") == MODEL_TYPE:
        register()


def count_weights(model: Any) -> tuple[int, int]:
    """Bytes of all parameters and buffers, and how many weights they stand for.

    Tied ones count once; what is in host memory counts too.
    """
    tensors = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    nbytes = sum(tensor.nbytes for tensor in tensors.values())
    count = sum(tensor.numel() for tensor in model.parameters())
    for module in model.modules():
        if isinstance(module, QuantizedLayer):
            count += module.rows * module.columns - module.weight.numel()
        elif isinstance(rows := getattr(module, "rows", None), torch.Tensor):
            nbytes, count = nbytes + rows.nbytes, count + rows.numel()
    return nbytes, count


def use_threads(count: int) -> None:
    """Let torch compute with this many threads."""
    torch.set_num_threads(count)


def gpu_count() -> int:
    return torch.cuda.device_count()
