"""What is given up so that a model's work fits the memory; kept as long as it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from glm4v_tui.plan.choosing import ON_GPU
from glm4v_tui.precision import PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.inference.placement import Placement

_CPU_ORDER = ("fp32", "bf16", "int8", "int4")


class Savings(msgspec.Struct, frozen=True):
    """Where a model that is loaded again differs from what was asked for."""

    precision: str | None = None
    vision: Literal["auto", "parked", "streamed"] = "auto"
    room: tuple[int, int] | None = None
    """(GPU, bytes): all that may be taken, so that layers go to host memory."""

    def applied(self, placement: Placement) -> Placement:
        """The placement with these in it; the precision is chosen before."""
        gpus = placement.gpus if self.room is None else (self.room,)
        vision = placement.vision if self.vision == "auto" else self.vision
        return msgspec.structs.replace(placement, gpus=gpus, vision=vision)


class Kept(NamedTuple):
    """Something in memory that the next question would profit from and can do without."""

    name: str
    """For the user, in the plural."""
    is_on_gpu: bool
    nbytes: Callable[[], int]
    release: Callable[[], None]


def smaller_precisions(name: str, device: str) -> tuple[str, ...]:
    """What takes less memory than a precision, the most exact first.

    Args:
        name: A known precision, or one of the user's, of which only the smallest is known to be
            smaller.
        device: ``cpu`` or ``cuda``.
    """
    order = _CPU_ORDER if device == "cpu" else tuple(one for one in ON_GPU if one in PRECISIONS)
    if name == "fp32":
        return tuple(one for one in order if one != "fp32")
    if name in ("bf16", "fp16"):
        return tuple(one for one in order if one not in ("fp32", "bf16", "fp16"))
    return order[order.index(name) + 1 :] if name in order else order[-1:]
