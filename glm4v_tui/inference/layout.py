"""Where the parts of a model go when the GPUs are too small for all of it.

In this order: everything on the roomiest GPU; layers spread over several GPUs; the vision tower in
host memory while it is not in use; its layers streamed from there; layers of the language model
streamed from host memory, and, where that is too small as well, from disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from glm4v_tui.errors import OutOfMemoryError
from glm4v_tui.plan.beside import Beside

GIB = 1 << 30
_GUESSED = (Beside(encode=3 * GIB // 4, decode=GIB // 2),)
"""For a model that cannot be planned for."""
_STREAMING_SHARE = 20
"""No more than a twentieth of the layers is kept free for streaming them."""
Vision = Literal["resident", "parked", "streamed"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a model's weights take, and what is needed beside them, in bytes."""

    layers: tuple[int, ...]
    """Of the language model, in their order."""
    tower: int = 0
    tower_layers: tuple[int, ...] = ()
    """Those of the tower's bytes that are in its layers."""
    rest: int = 0
    """Embedding, head, adapter, norms."""
    beside: tuple[Beside, ...] = _GUESSED
    """What is kept free, from the longest context that is wished for to the shortest that will do.
    """

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
    for beside in sizes.beside:
        for one in wanted:
            if _needed(sizes, beside, one) <= free:
                return Layout(gpu, one, here)
        if len(room.gpus) > 1 and (spread := _spread(sizes, room, beside, gpu)) is not None:
            return Layout(gpu, "resident", spread)
    last = "streamed" if vision == "auto" and sizes.tower else wanted[-1]
    return Layout(gpu, last, _streamed(sizes, room, last, gpu, free))


def room_for(sizes: Sizes, vision: Vision, on_gpu: int) -> int:
    """The free memory of a GPU for which :func:`lay_out` leaves no more of the layers there.

    Args:
        on_gpu: Bytes of language layers that stay at the shortest context; the others are streamed.
    """
    return _for_one_layer(sizes, sizes.beside[-1], vision) + on_gpu


def _needed(sizes: Sizes, beside: Beside, vision: Vision) -> int:
    """The peak of the GPU's memory with all layers of the language model on it."""
    return sum(sizes.layers) + _others(sizes, beside, vision)


def _others(sizes: Sizes, beside: Beside, vision: Vision) -> int:
    """The same without these layers."""
    match vision:
        case "resident":
            return sizes.rest + sizes.tower + max(beside.encode, beside.decode)
        case "parked":
            return sizes.rest + max(sizes.tower + beside.encode, beside.decode)
        case "streamed":
            stays = sizes.rest + sizes.tower - sum(sizes.tower_layers) + beside.streaming
            moving = 2 * max(sizes.tower_layers, default=0)
            return stays + max(moving + beside.encode, beside.decode)


def _spread(sizes: Sizes, room: Room, beside: Beside, first: int) -> tuple[int, ...] | None:
    """Layers over all GPUs, the first filled first; None when they do not fit."""
    order = sorted(room.gpus, key=lambda one: one[0] != first)
    left = [free - max(beside.encode, beside.decode) for _, free in order]
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
    found = (_how_many_stay(sizes, beside, vision, free) for beside in sizes.beside)
    stays = next((count for count in found if count is not None), None)
    if stays is None:
        needed = _for_one_layer(sizes, sizes.beside[-1], vision)
        raise _too_large(needed, free, "of GPU memory are needed for one layer at a time")
    parked = sizes.tower if vision != "resident" else 0
    host = room.host - parked - GIB
    places: list[int | Literal["host", "disk"]] = [gpu] * stays
    for size in sizes.layers[stays:]:
        host -= size
        places.append("host" if host > 0 else "disk")
    return tuple(places)


def _how_many_stay(sizes: Sizes, beside: Beside, vision: Vision, free: int) -> int | None:
    """Layers for which there is room; None where there is not even for one that is streamed."""
    if _needed(sizes, beside, vision) <= free:
        return len(sizes.layers)
    left = free - _for_one_layer(sizes, beside, vision)
    stays = len(sizes.layers) - 1
    while stays and sum(sizes.layers[:stays]) > left:
        stays -= 1
    return stays if left >= 0 else None


def _for_one_layer(sizes: Sizes, beside: Beside, vision: Vision) -> int:
    """What is needed where all layers are streamed: two of them, one on its way.

    What streaming itself takes was measured on large models; small ones have small buffers.
    """
    more = min(beside.streaming, sum(sizes.layers) // _STREAMING_SHARE)
    more = 0 if vision == "streamed" else more
    return _others(sizes, beside, vision) + more + 2 * max(sizes.layers, default=0)


def _too_large(needed: int, free: int, what: str) -> OutOfMemoryError:
    return OutOfMemoryError(
        "The model does not fit the GPU",
        f"{needed / GIB:.1f} GiB {what}; {free / GIB:.1f} GiB are free.",
        "End other programs on the GPU, choose a smaller precision (--precision int4-compact) or "
        "a smaller model, or start with --device cpu.",
    )
