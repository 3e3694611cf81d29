"""From a checkpoint's name to a model that answers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from glm4v_tui.checkpoint import inspect_checkpoint, resolve_model
from glm4v_tui.engine.protocol import Loading, LoadModel, ModelInfo
from glm4v_tui.errors import CheckpointError
from glm4v_tui.inference.read_ahead import read_ahead
from glm4v_tui.plan import shape_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.checkpoint import CheckpointReport
    from glm4v_tui.engine.protocol import Event
    from glm4v_tui.inference.decoding import Decoder
    from glm4v_tui.inference.image_cost import ImageCost
    from glm4v_tui.inference.layout import Layout, Sizes
    from glm4v_tui.inference.placement import Placement
    from glm4v_tui.inference.prompt import PromptWriter
    from glm4v_tui.inference.savings import Savings
    from glm4v_tui.plan import Shape

    Emit = Callable[[Event], None]
    OnBytes = Callable[[int, int], None]


class Chosen(NamedTuple):
    """What is to be loaded; loaded again where the memory does not suffice."""

    command: LoadModel
    name: str
    report: CheckpointReport


class LoadedModel(NamedTuple):
    """A model, and what asks it."""

    decoder: Decoder
    processor: Any
    writer: PromptWriter
    cost: ImageCost
    layout: Layout | None
    sizes: Sizes | None
    tower_ids: frozenset[int]
    """``id`` of all modules of the vision towers."""
    info: ModelInfo


def find(command: LoadModel, emit: Emit) -> Chosen:
    """The checkpoint that a command names, downloaded where it is not here.

    Raises:
        GlmError: what is wrong with the name or the folder.
    """
    source = resolve_model(command.model)
    folder = source.folder
    if folder is None:
        assert source.hub_id is not None
        folder = _download(source.hub_id, source.revision, emit)
    report = inspect_checkpoint(Path(folder))
    report.require_loadable()
    read_ahead(Path(folder) / name for name in report.files)
    return Chosen(command, source.short_name, report)


def place(chosen: Chosen, savings: Savings) -> Placement:
    """Where it goes and how its weights are kept.

    Raises:
        GlmError: what is wrong with the device or the precision.
    """
    from glm4v_tui.inference.placement import choose_placement

    command, report = chosen.command, chosen.report
    precision = savings.precision or command.precision
    placement = choose_placement(
        precision, command.device, report.bytes_as, _shape_of(report.folder)
    )
    return savings.applied(placement)


def load(chosen: Chosen, placement: Placement, on_bytes: OnBytes) -> LoadedModel:
    """Load it.

    Raises:
        Exception: anything a model library raises; ``failures`` puts it into words.
    """
    from glm4v_tui.inference import loading
    from glm4v_tui.inference.arranging import tower_ids
    from glm4v_tui.inference.decoding import Decoder
    from glm4v_tui.inference.environment import compute_threads
    from glm4v_tui.inference.image_cost import ImageCost
    from glm4v_tui.inference.prepared_images import remember_images
    from glm4v_tui.inference.prompt import PromptWriter

    started = time.monotonic()
    report, keep = chosen.report, chosen.command.keep_quantized
    loading.use_threads(compute_threads(report.parameters))
    processor = loading.load_processor(report.folder)
    loaded = loading.load(report.folder, placement, on_bytes, keep=keep)
    image_token_id = _image_token_id(processor, loaded.model.config)
    weight_bytes, parameters = loading.count_weights(loaded.model)
    decoder = Decoder(loaded.model, processor.tokenizer, report.context_length)
    if decoder.own is not None and processor.image_processor is not None:
        remember_images(processor.image_processor)
    decoder.prepare_forms()
    info = ModelInfo(
        name=chosen.name,
        model_type=report.model_type,
        precision=placement.precision,
        device=loaded.device,
        parameters=parameters,
        weight_bytes=weight_bytes,
        context_length=report.context_length,
        load_s=time.monotonic() - started,
    )
    return LoadedModel(
        *(decoder, processor, PromptWriter(processor, image_token_id)),
        *(ImageCost(processor, image_token_id), loaded.layout, loaded.sizes),
        *(tower_ids(loaded.model), info),
    )


def _shape_of(folder: str) -> Shape | None:
    """What the plan knows of a checkpoint; None for one whose configuration it cannot read."""
    try:
        return shape_of(Path(folder))
    except CheckpointError:
        return None


def _download(hub_id: str, revision: str, emit: Emit) -> str:
    from glm4v_tui.inference.hub import fetch_checkpoint

    def tell(done: int, total: int) -> None:
        emit(Loading("download", done, total))

    return fetch_checkpoint(hub_id, tell, revision)


def _image_token_id(processor: Any, config: Any) -> int | None:
    """Where families keep the id of the token that stands for a piece of an image."""
    for owner, name in (
        (processor, "image_token_id"),
        (config, "image_token_id"),
        (config, "image_token_index"),
    ):
        value = getattr(owner, name, None)
        if isinstance(value, int):
            return value
    return None
