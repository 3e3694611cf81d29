"""What a loaded model needs beside its weights: for who decides where the weights go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.plan.choosing import loads_tried, usual_load
from glm4v_tui.plan.memory import Room, plan_for

if TYPE_CHECKING:
    from glm4v_tui.plan.rules import Precision
    from glm4v_tui.plan.shape import Shape

_PLENTY = 1 << 50


class Beside(msgspec.Struct, frozen=True):
    """Bytes of a GPU that weights must leave free, CUDA's context itself not counted."""

    encode: int
    """While images are encoded."""
    decode: int
    """While a prompt is read and answered, its keys and values included."""
    streaming: int = 0
    """More where layers are streamed, the layers themselves not counted."""


def beside_weights(shape: Shape, precision: Precision) -> tuple[Beside, ...]:
    """As :func:`glm4v_tui.plan.choose` plans: for the usual image and context, then for less."""
    return tuple(_beside(shape, precision, context) for context in _contexts(shape))


def _contexts(shape: Shape) -> tuple[int, ...]:
    return tuple(load.context for load in loads_tried(usual_load(shape)))


def _beside(shape: Shape, precision: Precision, context: int) -> Beside:
    load = msgspec.structs.replace(usual_load(shape), context=context)
    room = Room(_PLENTY, context=0)
    plan = plan_for(shape, precision, room, load)
    always = plan.workspace + plan.context + plan.slack
    streamed = plan_for(shape, precision, room, load, layers_here=0)
    return Beside(
        encode=always + max(plan.vision, plan.loading - plan.workspace),
        decode=always + plan.kv + max(plan.prefill, plan.decode),
        streaming=streamed.context + streamed.slack - plan.context - plan.slack,
    )
