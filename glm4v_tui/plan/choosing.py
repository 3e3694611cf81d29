"""Which precision to take: the most exact that fits. This is what ``--precision auto`` means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.plan.figures import CUDA_CONTEXT
from glm4v_tui.plan.memory import Load, Plan, Room, plan_for, plans
from glm4v_tui.plan.rules import PRECISIONS
from glm4v_tui.plan.split import CPU, Gpu, Split, offloaded, on_one, spread
from glm4v_tui.plan.weights import Tower

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.plan.rules import Precision
    from glm4v_tui.plan.shape import Shape

ON_GPU = ("as stored", "bf16", "fp16", "int8", "mixed", "int4", "int4-compact")
"""From exact to small. fp32 is for those who ask for it: checkpoints are published in bf16."""
ON_CPU = ("as stored", "fp32", "bf16", "int8")
"""float32 is what every CPU computes fast; int8 is for what fits in 16 bits no more."""
_OFFLOADED = "int4-compact"
"""Taken when nothing fits: the fewest bytes to fetch for every token."""


@dataclass(frozen=True)
class Deployment:
    """A decision: how a model is kept, and where."""

    plan: Plan
    split: Split
    fits: bool
    """False when it is slow (offloaded) or will not work at all; ``why`` says which."""
    why: str
    context: int = 0
    """Tokens that the plan is for; fewer than were asked for where only these fit."""


_USUAL_CONTEXT = 8192
_LESS_CONTEXT = (4096, 2560)
"""Tried in turn where the context asked for does not fit; an image takes 1,600."""


def usual_load(shape: Shape, sizes: tuple[tuple[int, int], ...] = ((1120, 1120),)) -> Load:
    """A large image and a context of 8,192 tokens, or as many as the model reads."""
    most = shape.language.max_context or _USUAL_CONTEXT
    return Load(sizes, min(_USUAL_CONTEXT, most))


def loads_tried(load: Load) -> tuple[Load, ...]:
    """A load, and with less context for memory that is too small for it."""
    less = (context for context in _LESS_CONTEXT if context < load.context)
    return (load, *(msgspec.structs.replace(load, context=context) for context in less))


def recommended(choices: Sequence[Plan], *, has_bf16: bool = True) -> Plan | None:
    """The most exact plan that fits; None when none does.

    Args:
        has_bf16: Whether the GPU computes in bfloat16; float16 takes its place if not.
    """
    by_name = {plan.precision: plan for plan in choices if plan.fits}
    order = ON_CPU if choices and choices[0].device == "cpu" else ON_GPU
    wanted = (name for name in order if has_bf16 or name != "bf16")
    return next((by_name[name] for name in wanted if name in by_name), None)


def choose(
    shape: Shape,
    gpus: Sequence[Gpu],
    *,
    host_free: int | None = None,
    load: Load = Load(),
    precision: str = "auto",
    precisions: dict[str, Precision] = PRECISIONS,
    context: int = CUDA_CONTEXT,
) -> Deployment:
    """Decide for a model on the memory that is free now.

    Args:
        shape: Of the checkpoint.
        gpus: Those that may be used; empty for the CPU.
        host_free: Free host memory; None when unknown.
        load: Images and context to make room for.
        precision: A name in ``precisions``, or ``auto``.
        context: What CUDA takes itself on each GPU; 0 when it is there already.

    Raises:
        KeyError: an unknown precision.
        ValueError: an image of ``load`` has a size that the model cannot see.
    """
    if not gpus:
        return _on_cpu(shape, host_free, load, precision, precisions)
    return _on_gpus(_Case(shape, gpus, host_free, load, precision, precisions, context))


def _on_cpu(
    shape: Shape,
    host_free: int | None,
    load: Load,
    precision: str,
    precisions: dict[str, Precision],
) -> Deployment:
    names = [n for n in ON_CPU if n in precisions] if precision == "auto" else [precision]
    wanted = [precisions[name] for name in names]
    choices = plans(shape, gpu_free=None, host_free=host_free, load=load, precisions=wanted)
    best = recommended(choices) or next((plan for plan in choices if plan.fits), choices[-1])
    split = on_one(best, shape.language.layers, CPU)
    if best.fits:
        return Deployment(best, split, True, "There is no GPU in use.", load.context)
    why = "The free host memory is too little for it."
    return Deployment(best, split, False, why, load.context)


@dataclass(frozen=True)
class _Case:
    shape: Shape
    gpus: Sequence[Gpu]
    host_free: int | None
    load: Load
    precision: str
    precisions: dict[str, Precision]
    context: int

    @property
    def candidates(self) -> tuple[str, ...]:
        if self.precision != "auto":
            return (self.precision,)
        has_bf16 = all(gpu.has_bf16 for gpu in self.gpus)
        return tuple(n for n in ON_GPU if n in self.precisions and (has_bf16 or n != "bf16"))

    @property
    def roomiest(self) -> Gpu:
        return max(self.gpus, key=lambda gpu: gpu.free)

    def plan(self, name: str, load: Load) -> Plan:
        """On the roomiest GPU."""
        return plans(
            self.shape,
            gpu_free=self.roomiest.free,
            host_free=self.host_free,
            load=load,
            bandwidth=self.roomiest.bandwidth,
            context=self.context,
            precisions=(self.precisions[name],),
        )[0]

    def offloaded(self, name: str, load: Load, layers_here: int) -> Plan:
        """With so many layers on the roomiest GPU, and the tower streamed to it as well."""
        best = self.roomiest
        room = Room(best.free, self.host_free, best.bandwidth, self.context)
        tower = Tower.STREAMED if self.shape.vision else Tower.RESIDENT
        precision = self.precisions[name]
        return plan_for(self.shape, precision, room, load, tower, layers_here=layers_here)


def _on_gpus(case: _Case) -> Deployment:
    for load in loads_tried(case.load):
        for name in case.candidates:
            if (found := _on_gpus_whole(case, name, load)) is not None:
                return found
    return _offloaded(case)


def _on_gpus_whole(case: _Case, name: str, load: Load) -> Deployment | None:
    """No layer streamed: all of it on one GPU, or its layers on several."""
    layers = case.shape.language.layers
    plan = case.plan(name, load)
    less = "" if load is case.load else f" It does with a context of {load.context:,} tokens."
    if plan.fits:
        why = "It is the most exact that fits." if case.precision == "auto" else "It fits."
        why = f"A context of {case.load.context:,} tokens does not fit.{less}" if less else why
        split = on_one(plan, layers, case.roomiest.device)
        return Deployment(plan, split, True, why, load.context)
    split_ = spread(plan, layers, case.gpus) if len(case.gpus) > 1 else None
    if split_ is not None:
        why = f"It fits the GPUs together, not one alone.{less}"
        return Deployment(plan, split_, True, why, load.context)
    return None


def _offloaded(case: _Case) -> Deployment:
    """As many layers on the GPU as fit; with less context where not even one at a time does."""
    name = _OFFLOADED if case.precision == "auto" else case.precision
    layers, device = case.shape.language.layers, case.roomiest.device
    for load in loads_tried(case.load):
        for here in range(layers, -1, -1):
            plan = case.offloaded(name, load, here)
            if plan.needed <= case.roomiest.free:
                split = offloaded(plan, layers, here, device, case.host_free)
                why = _why_offloaded(here, layers)
                return Deployment(plan, split, here == layers, why, load.context)
    why = "The free GPU memory does not even take what every token needs."
    plan = case.plan(name, case.load)
    return Deployment(plan, on_one(plan, layers, device), False, why, case.load.context)


def _why_offloaded(here: int, layers: int) -> str:
    if here == layers:
        return "It fits when the layers of its vision tower are fetched for every image."
    return f"Only {here} of {layers} layers fit the GPU; the others are fetched for every token."
