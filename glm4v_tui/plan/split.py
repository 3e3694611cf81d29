"""Which device every part of a model goes to, when it is not all one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.plan.figures import WORKER_HOST
from glm4v_tui.plan.rules import PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.plan.memory import Plan

CPU, DISK = "cpu", "disk"


class Gpu(msgspec.Struct, frozen=True):
    """One GPU that a model may go to."""

    index: int
    """As CUDA counts."""
    free: int
    """Bytes, at this moment."""
    bandwidth: float | None = None
    has_bf16: bool = True

    @property
    def device(self) -> str:
        return f"cuda:{self.index}"


class Split(msgspec.Struct, frozen=True):
    """Devices as torch writes them: ``cuda:0``, ``cpu``; ``disk`` for what is read as needed."""

    layers: tuple[str, ...]
    """Of each layer of the language model; a layer's keys and values are where it is."""
    embedding: str
    tower: str
    """Of the vision tower and the adapter while they work."""
    head: str
    """And of the last norm."""

    @property
    def devices(self) -> tuple[str, ...]:
        """Every device that is used, the first one first."""
        return tuple(dict.fromkeys((self.embedding, self.tower, *self.layers, self.head)))

    @property
    def is_offloaded(self) -> bool:
        """True when layers have to be fetched for every token."""
        return (CPU in self.layers[:-1] and self.tower != CPU) or DISK in self.layers


def on_one(plan: Plan, layers: int, device: str) -> Split:
    """All on one device, but for what the precision keeps in host memory."""
    return Split((device,) * layers, CPU if _embedding_waits(plan) else device, device, device)


def offloaded(
    plan: Plan, layers: int, layers_here: int, device: str, host_free: int | None
) -> Split:
    """The first layers on the GPU, the others in host memory, and what that cannot take on disk."""
    each = plan.weights.language // layers
    others = plan.host - WORKER_HOST - (layers - layers_here) * each
    in_host = layers - layers_here
    if host_free is not None:
        in_host = max(0, min(in_host, (host_free - WORKER_HOST - others) // each))
    on_disk = layers - layers_here - in_host
    places = (device,) * layers_here + (CPU,) * in_host + (DISK,) * on_disk
    return Split(places, CPU if _embedding_waits(plan) else device, device, device)


def spread(plan: Plan, layers: int, gpus: Sequence[Gpu]) -> Split | None:
    """Over several GPUs, each filled in turn; None when they do not suffice together."""
    each = (plan.weights.language + plan.kv) // layers
    first, last = gpus[0].device, gpus[-1].device
    waits = _embedding_waits(plan)
    room = {gpu.device: gpu.free - _overhead(plan) for gpu in gpus}
    room[first] -= plan.weights.adapter + plan.weights.vision
    room[first] -= 0 if waits else plan.weights.embedding
    # Rows of the head are multiplied where it is; a tied one is the embedding again.
    room[last] -= plan.weights.head or (plan.weights.embedding if first != last else 0)
    if min(room.values()) < 0:
        return None
    placed: list[str] = []
    for device, free in room.items():
        placed += [device] * min(layers - len(placed), free // each)
    if len(placed) < layers:
        return None
    return Split(tuple(placed), CPU if waits else first, first, last)


def _embedding_waits(plan: Plan) -> bool:
    return plan.precision in PRECISIONS and PRECISIONS[plan.precision].embedding_in_host


def _overhead(plan: Plan) -> int:
    return plan.context + plan.slack + plan.workspace + plan.activations
