"""How much memory a checkpoint needs in each precision, and how fast it can answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.plan.activations import (
    Images,
    decode_bytes,
    held_bytes,
    pixel_bytes,
    prefill_bytes,
    vision_bytes,
)
from glm4v_tui.plan.configs import GLM_FAMILY, ORIGINAL
from glm4v_tui.plan.figures import (
    ALLOCATOR_SLACK,
    ALLOCATOR_SLACK_MORE,
    BANDWIDTH_SHARE,
    CUBLAS_WORKSPACE,
    CUDA_CONTEXT,
    CUDA_KERNELS,
    CUDA_KERNELS_MORE,
    DECODE_SHARE,
    HOST_HEADROOM,
    LIBRARY_PLAIN_STEP_S,
    LIBRARY_STEP_S,
    WORKER_HOST,
)
from glm4v_tui.plan.formats import itemsize
from glm4v_tui.plan.rules import PRECISIONS, Precision
from glm4v_tui.plan.weights import (
    PartBytes,
    Tower,
    most_packing,
    part_bytes,
    tower_layers_bytes,
)
from glm4v_tui.precision import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.plan.shape import Shape

    Size = tuple[int, int]

_STUDIED_LAYERS = 40
"""Of the model that decode steps were measured on; the launching grows with them."""
_STREAMED_LAYERS = 2
"""Of a stack that are on the GPU at once: one at work, the next on its way."""


class Load(msgspec.Struct, frozen=True):
    """What a plan is made for."""

    sizes: tuple[tuple[int, int], ...] = ((1120, 1120),)
    """(width, height) in pixels of every image of the prompt."""
    context: int = 8192
    """Tokens of prompt and answer."""
    prompt: int | None = None
    """Tokens of the prompt, those of images included; None when it may fill the context."""

    @property
    def read_at_once(self) -> int:
        return self.context if self.prompt is None else min(self.prompt, self.context)


class Plan(msgspec.Struct, frozen=True):
    """One way to keep a model. Sizes in bytes; of the GPU, or of the host where it runs there."""

    precision: str
    device: str
    """``cuda`` or ``cpu``."""
    tower: Tower
    weights: PartBytes
    """All of them, wherever they are."""
    resident: int
    """Weights that stay where the model runs."""
    kv: int
    """Keys and values of the whole context."""
    kv_per_token: int
    image_tokens: int
    kv_per_image: int
    vision: int
    """At work while images are encoded."""
    prefill: int
    """At work while the prompt is read, keys and values not counted."""
    decode: int
    """At work for each token."""
    workspace: int
    """Of the matrix library, from the same allocator."""
    loading: int
    """On top of what is resident, for a moment, while it is loaded."""
    peak: int
    """The most that the allocator gives out at once, loading included."""
    context: int
    """What CUDA needs itself, outside of the allocator: its context and the kernels."""
    slack: int
    """What the allocator holds without using it."""
    host: int
    """Host memory of the worker: what it needs itself, and weights that wait there."""
    fits: bool
    tokens_per_s: float | None
    """Expected decode speed; None when the bandwidth is unknown."""
    roofline: float | None
    """Tokens a second if reading the weights were all there is to do."""

    @property
    def needed(self) -> int:
        """What must be free before the worker starts."""
        return self.peak + self.context + self.slack

    @property
    def must_be_free(self) -> int:
        """Where it runs, before the worker starts; a host needs room for all else, too."""
        return int(self.host * HOST_HEADROOM) if self.device == "cpu" else self.needed

    @property
    def activations(self) -> int:
        """At work in the widest moment."""
        return max(self.vision, self.prefill, self.decode)


class Room(msgspec.Struct, frozen=True):
    """The memory that a plan has to fit. ``gpu_free`` None: there is no GPU."""

    gpu_free: int | None
    host_free: int | None = None
    bandwidth: float | None = None
    """Of the memory that the model runs in, in bytes a second, as its vendor names it."""
    context: int = CUDA_CONTEXT
    """0 when the CUDA context is there already, so that ``gpu_free`` is without it."""

    @property
    def device(self) -> str:
        return "cpu" if self.gpu_free is None else "cuda"


def plan_for(
    shape: Shape,
    precision: Precision,
    room: Room,
    load: Load,
    tower: Tower = Tower.RESIDENT,
    *,
    layers_here: int | None = None,
) -> Plan:
    """One plan.

    Args:
        layers_here: How many of the language model's layers stay on the GPU, where the others are
            streamed from host memory; None for all.

    Raises:
        ValueError: an image has a size that the model cannot see.
    """
    on_gpu = room.device == "cuda"
    if not on_gpu:
        precision = msgspec.structs.replace(precision, in_pieces=False)
    work = _Work(shape, precision, load, tower)
    if layers_here is not None and layers_here < shape.language.layers:
        work.stream_layers(shape.language.layers, layers_here)
    peak = work.peak(workspace := CUBLAS_WORKSPACE if on_gpu else 0)
    roofline = _roofline(work, room)
    needs_more = work.is_streamed or _has_int8(precision)
    context = room.context + CUDA_KERNELS + needs_more * CUDA_KERNELS_MORE if on_gpu else 0
    slack = ALLOCATOR_SLACK + needs_more * ALLOCATOR_SLACK_MORE if on_gpu else 0
    host = WORKER_HOST + (work.in_host if on_gpu else peak)
    return Plan(
        precision=precision.name,
        device=room.device,
        tower=tower,
        weights=work.weights,
        resident=work.resident,
        kv=work.kv,
        kv_per_token=work.kv_per_token,
        image_tokens=work.images.tokens,
        kv_per_image=work.kv_per_token * work.images.tokens // max(1, len(load.sizes)),
        vision=work.vision,
        prefill=work.prefill,
        decode=work.decode,
        workspace=workspace,
        loading=work.loading,
        peak=peak,
        context=context,
        slack=slack,
        host=host,
        fits=_fits(peak + context + slack, host, room),
        tokens_per_s=_speed(roofline, shape, precision, room),
        roofline=roofline,
    )


def plans(
    shape: Shape,
    *,
    gpu_free: int | None,
    host_free: int | None = None,
    load: Load = Load(),
    bandwidth: float | None = None,
    context: int = CUDA_CONTEXT,
    precisions: Sequence[Precision] = tuple(PRECISIONS.values()),
) -> tuple[Plan, ...]:
    """A plan for every precision, the most exact first.

    Args:
        shape: Of the checkpoint.
        gpu_free: Bytes that are free on the GPU; None to run on the CPU.
        host_free: Free host memory; None when unknown, and then it does not limit.
        load: Images and context to plan for.
        bandwidth: Of the memory the model runs in, in bytes a second.
        context: What CUDA takes itself; 0 when ``gpu_free`` was read after it was there.

    Raises:
        ValueError: an image has a size that the model cannot see.
    """
    room = Room(gpu_free, host_free, bandwidth, context)
    if shape.is_stored_quantized:
        as_stored = msgspec.structs.replace(PRECISIONS["bf16"], name="as stored")
        precisions = (as_stored,)
    return tuple(_best_tower(shape, precision, room, load) for precision in precisions)


def _best_tower(shape: Shape, precision: Precision, room: Room, load: Load) -> Plan:
    """The tower stays where that fits; it is parked, then streamed, where only that does."""
    towers = (
        tuple(Tower) if precision.may_park_vision and room.device == "cuda" else (Tower.RESIDENT,)
    )
    tried = [plan_for(shape, precision, room, load, tower) for tower in towers]
    return next((plan for plan in tried if plan.fits), tried[-1])


class _Work:
    """What one precision needs at each stage of an answer."""

    def __init__(self, shape: Shape, precision: Precision, load: Load, tower: Tower) -> None:
        self.images = Images.of(shape.vision, load.sizes)
        self.weights = part_bytes(shape, precision)
        self.kv_per_token = shape.kv_per_token * itemsize(precision.compute) // 2
        self.kv = self.kv_per_token * load.context
        self.loading = most_packing(shape, precision)
        prompt = max(load.read_at_once, 1)
        vectors = prompt * shape.language.hidden * itemsize(precision.compute)
        tower_needs = vision_bytes(shape.vision, self.images, precision) if shape.vision else 0
        pixels = pixel_bytes(shape.vision, self.images, precision) if shape.vision else 0
        self.vision = tower_needs + pixels + vectors if self.images.patches else 0
        held = held_bytes(shape, self.images, prompt, precision)
        self.prefill = held + prefill_bytes(shape.language, prompt, precision)
        self.decode = pixels + decode_bytes(shape.language, self.kv)
        self._prompt_kv = self.kv_per_token * prompt
        self._place(shape, precision, tower)

    def _place(self, shape: Shape, precision: Precision, tower: Tower) -> None:
        """Split the weights into those that stay, those fetched for images, and the host's."""
        weights = self.weights
        off_gpu = precision.embedding_in_host and not shape.is_tied
        self.in_host = weights.embedding if off_gpu else 0
        # In GLM's towers the adapter is a module of the tower; elsewhere it stays on the GPU.
        within = weights.adapter if shape.model_type in GLM_FAMILY else 0
        tower_bytes = weights.vision + within
        self.resident = weights.total - self.in_host
        self.fetched = self.moving = 0
        self.is_streamed = tower is Tower.STREAMED
        if tower is Tower.RESIDENT:
            return
        away = tower_layers_bytes(shape, precision) if self.is_streamed else tower_bytes
        self.in_host += away
        self.resident -= away
        layers = shape.vision.layers if shape.vision else 1
        self.fetched = min(away, _STREAMED_LAYERS * away // layers) if self.is_streamed else away

    def stream_layers(self, layers: int, here: int) -> None:
        """Let all but ``here`` layers of the language model wait in host memory."""
        each = self.weights.language // layers
        self.in_host += each * (layers - here)
        self.resident -= each * (layers - here)
        self.moving = _STREAMED_LAYERS * each
        self.is_streamed = True

    @property
    def read_per_token(self) -> int:
        """Bytes that a token's step reads: layers, head, and half a context of keys and values."""
        head = self.weights.head or self.weights.embedding
        return self.weights.language + head + self.kv // 2

    def peak(self, workspace: int) -> int:
        working = max(
            self.fetched + self.vision,
            self._prompt_kv + self.prefill,
            self.kv + self.decode,
        )
        return self.resident + max(self.loading, workspace + self.moving + working)


def _fits(needed: int, host: int, room: Room) -> bool:
    if room.gpu_free is None:
        return room.host_free is None or host * HOST_HEADROOM <= room.host_free
    return needed <= room.gpu_free and (room.host_free is None or host <= room.host_free)


def _has_int8(precision: Precision) -> bool:
    """Whether products are made with INT8; rows of an embedding are only looked up."""
    forms = (precision.language, precision.head, precision.vision, precision.adapter)
    return Format.INT8 in forms


def _roofline(work: _Work, room: Room) -> float | None:
    if room.bandwidth is None:
        return None
    return room.bandwidth * BANDWIDTH_SHARE / work.read_per_token


def _speed(roofline: float | None, shape: Shape, precision: Precision, room: Room) -> float | None:
    """What of the bandwidth's limit is reached; on transformers' own loop no more than launching
    kernels allows."""
    if roofline is None or room.device == "cpu":
        return roofline
    if shape.model_type in GLM_FAMILY or shape.model_type == ORIGINAL:
        return roofline * DECODE_SHARE[precision.language]
    step = LIBRARY_STEP_S.get(precision.language, LIBRARY_PLAIN_STEP_S)
    return min(roofline, _STUDIED_LAYERS / shape.language.layers / step)
