"""Where the parts of a model go when the GPUs are too small for all of it.

In this order: everything on the roomiest GPU; layers spread over several GPUs; the vision tower in
host memory while it is not in use; its layers streamed from there; layers of the language model
streamed from host memory, and, where that is too small as well, from disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from glm4v_tui.errors import OutOfMemoryError

GIB = 1 << 30
Vision = Literal["resident", "parked", "streamed"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a model's weights take, in bytes."""

    layers: tuple[int, ...]
    """Of the language model, in their order."""
    tower: int = 0
    tower_layers: tuple[int, ...] = ()
    """Those of the tower's bytes that are in its layers."""
    rest: int = 0
    """Embedding, head, adapter, norms."""

    @property
    def total(self) -> int:
        return sum(self.layers) + self.tower + self.rest


@dataclass(frozen=True, slots=True)
class Room:
    """What there is to put it in, in bytes."""

    gpus: tuple[tuple[int, int], ...]
    """(index, free) of every GPU that may be used."""
    host: int
    """Free host memory."""
    encode: int = 3 * GIB // 4
    """Kept free for the work on an image and on a long prompt."""
    decode: int = GIB // 2
    """Kept free for keys and values while it answers."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything goes."""

    gpu: int
    """Where the model is, but for the layers that ``layers`` names another place for."""
    vision: Vision = "resident"
    layers: tuple[int | Literal["host", "disk"], ...] = field(default=())
    """For each layer of the language model its GPU, or from where it is streamed."""

    @property
    def name(self) -> str:
        """``cuda:0``, ``cuda:0+1``, ``cuda:0+host``."""
        others = sorted({str(place) for place in self.layers if place != self.gpu})
        if self.vision != "resident" and "host" not in others:
            others.append("host")
        return "+".join((f"cuda:{self.gpu}", *others))


def lay_out(
    sizes: Sizes, room: Room, vision: Vision | Literal["auto"], *, may_park: bool
) -> Layout:
    """Decide.

    Args:
        vision: What becomes of the tower; ``auto`` keeps it on the GPU when it can stay.
        may_park: The precision allows the tower to leave the GPU.

    Raises:
        OutOfMemoryError: not even one layer at a time fits, or host and disk are too small.
    """
    gpu, free = max(room.gpus, key=lambda one: one[1])
    here = (gpu,) * len(sizes.layers)
    wanted: tuple[Vision, ...] = ("resident", "parked", "streamed")
    if vision != "auto":
        wanted = (vision,)
    elif not may_park or not sizes.tower:
        wanted = ("resident",)
    for one in wanted:
        if _needed(sizes, room, one) <= free:
            return Layout(gpu, one, here)
    if len(room.gpus) > 1 and (spread := _spread(sizes, room, gpu)) is not None:
        return Layout(gpu, "resident", spread)
    last = "streamed" if vision == "auto" and sizes.tower else wanted[-1]
    return Layout(gpu, last, _streamed(sizes, room, last, gpu, free))


def room_for(sizes: Sizes, vision: Vision, on_gpu: int) -> int:
    """The free memory of a GPU for which :func:`lay_out` leaves so much of the layers there.

    Args:
        on_gpu: Bytes of language layers that stay; the others are streamed.
    """
    moving = 2 * max(sizes.layers, default=0)
    return _needed(sizes, Room((), 0), vision, on_gpu + moving)


def _needed(sizes: Sizes, room: Room, vision: Vision, on_gpu: int | None = None) -> int:
    """The peak of the GPU's memory; ``on_gpu`` are the language layers' bytes there."""
    others = sizes.rest + (sum(sizes.layers) if on_gpu is None else on_gpu)
    match vision:
        case "resident":
            return others + sizes.tower + max(room.encode, room.decode)
        case "parked":
            return max(others + sizes.tower + room.encode, others + room.decode)
        case "streamed":
            stays = sizes.tower - sum(sizes.tower_layers)
            moving = 2 * max(sizes.tower_layers, default=0)
            return others + stays + max(moving + room.encode, room.decode)


def _spread(sizes: Sizes, room: Room, first: int) -> tuple[int, ...] | None:
    """Layers over all GPUs, the first filled first; None when they do not fit."""
    order = sorted(room.gpus, key=lambda one: one[0] != first)
    left = [free - max(room.encode, room.decode) for _, free in order]
    left[0] -= sizes.rest + sizes.tower
    places: list[int] = []
    at = 0
    for size in sizes.layers:
        while at < len(left) and left[at] < size:
            at += 1
        if at == len(left):
            return None
        left[at] -= size
        places.append(order[at][0])
    return tuple(places)


def _streamed(
    sizes: Sizes, room: Room, vision: Vision, gpu: int, free: int
) -> tuple[int | Literal["host", "disk"], ...]:
    """As many of the last layers as it takes, from host memory while there is any."""
    moving = 2 * max(sizes.layers, default=0)
    stays = len(sizes.layers)
    while stays and _needed(sizes, room, vision, sum(sizes.layers[:stays]) + moving) > free:
        stays -= 1
    needed = _needed(sizes, room, vision, moving)
    if needed > free:
        raise _too_large(needed, free, "of GPU memory are needed for one layer at a time")
    parked = sizes.tower if vision != "resident" else 0
    host = room.host - parked - GIB
    places: list[int | Literal["host", "disk"]] = [gpu] * stays
    for size in sizes.layers[stays:]:
        host -= size
        places.append("host" if host > 0 else "disk")
    return tuple(places)


def _too_large(needed: int, free: int, what: str) -> OutOfMemoryError:
    return OutOfMemoryError(
        "The model does not fit the GPU",
        f"{needed / GIB:.1f} GiB {what}; {free / GIB:.1f} GiB are free.",
        "End other programs on the GPU, choose a smaller precision (--precision int4-compact) or "
        "a smaller model, or start with --device cpu.",
    )
