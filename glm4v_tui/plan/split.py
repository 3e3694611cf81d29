"""Which device every part of a model goes to, when it is not all one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.plan.figures import WORKER_HOST
from glm4v_tui.plan.rules import PRECISIONS
from glm4v_tui.plan.weights import Tower

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
    waits = PRECISIONS[plan.precision].embedding_in_host if plan.precision in PRECISIONS else False
    return Split((device,) * layers, CPU if waits else device, device, device)


def spread(plan: Plan, layers: int, gpus: Sequence[Gpu]) -> Split | None:
    """Over several GPUs, each filled in turn; None when they do not suffice together."""
    return _filled(plan, layers, gpus, {})


def offloaded(plan: Plan, layers: int, gpus: Sequence[Gpu], host_free: int | None) -> Split | None:
    """What the GPUs hold on them, the rest in host memory, and what that cannot take on disk.

    None when the GPUs cannot even hold what every token needs: tower, head, activations.
    """
    host = None if host_free is None else max(0, host_free - WORKER_HOST)
    return _filled(plan, layers, gpus, {CPU: host, DISK: None})


def _filled(
    plan: Plan, layers: int, gpus: Sequence[Gpu], more: dict[str, int | None]
) -> Split | None:
    """Layers in order onto devices in order. A device with room None takes any number."""
    each = (plan.weights.language + plan.kv) // layers
    streams = plan.tower is Tower.STREAMED
    tower = plan.weights.adapter + (0 if streams else plan.weights.vision)
    first, last = gpus[0].device, gpus[-1].device
    waits = plan.precision in PRECISIONS and PRECISIONS[plan.precision].embedding_in_host
    room = {gpu.device: gpu.free - _overhead(plan) for gpu in gpus}
    room[first] -= tower + (0 if waits else plan.weights.embedding)
    # Rows of the head are multiplied where it is; a tied one is the embedding again.
    room[last] -= plan.weights.head or (plan.weights.embedding if first != last else 0)
    if min(room.values()) < 0:
        return None
    placed: list[str] = []
    for device, free in {**room, **more}.items():
        left = layers - len(placed)
        placed += [device] * (left if free is None else min(left, free // each))
    if len(placed) < layers:
        return None
    return Split(tuple(placed), CPU if waits else first, first, last)


def _overhead(plan: Plan) -> int:
    return plan.context + plan.slack + plan.workspace + plan.activations
