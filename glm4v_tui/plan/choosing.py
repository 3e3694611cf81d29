"""Which precision to take: the most exact that fits. This is what ``--precision auto`` means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm4v_tui.plan.figures import CUDA_CONTEXT
from glm4v_tui.plan.memory import Load, Plan, plans
from glm4v_tui.plan.rules import PRECISIONS
from glm4v_tui.plan.split import CPU, Gpu, Split, offloaded, on_one, spread

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


_USUAL_CONTEXT = 8192


def usual_load(shape: Shape, sizes: tuple[tuple[int, int], ...] = ((1120, 1120),)) -> Load:
    """A large image and a context of 8,192 tokens, or as many as the model reads."""
    most = shape.language.max_context or _USUAL_CONTEXT
    return Load(sizes, min(_USUAL_CONTEXT, most))


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
        return Deployment(best, split, True, "There is no GPU in use.")
    return Deployment(best, split, False, "The free host memory is too little for it.")


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

    def plan(self, name: str, gpu: Gpu) -> Plan:
        return plans(
            self.shape,
            gpu_free=gpu.free,
            host_free=self.host_free,
            load=self.load,
            bandwidth=gpu.bandwidth,
            context=self.context,
            precisions=(self.precisions[name],),
        )[0]


def _on_gpus(case: _Case) -> Deployment:
    best = max(case.gpus, key=lambda gpu: gpu.free)
    layers = case.shape.language.layers
    for name in case.candidates:
        plan = case.plan(name, best)
        if plan.fits:
            why = "It is the most exact that fits." if case.precision == "auto" else "It fits."
            return Deployment(plan, on_one(plan, layers, best.device), True, why)
        split = spread(plan, layers, case.gpus) if len(case.gpus) > 1 else None
        if split is not None:
            return Deployment(plan, split, True, "It fits the GPUs together, not one alone.")
    return _offloaded(case, best)


def _offloaded(case: _Case, best: Gpu) -> Deployment:
    plan = case.plan(_OFFLOADED if case.precision == "auto" else case.precision, best)
    layers = case.shape.language.layers
    split = offloaded(plan, layers, case.gpus, case.host_free)
    if split is None:
        why = "The free GPU memory does not even take what every token needs."
        return Deployment(plan, on_one(plan, layers, best.device), False, why)
    here = sum(device.startswith("cuda") for device in split.layers)
    why = f"Only {here} of {layers} layers fit the GPU; the others are fetched for every token."
    return Deployment(plan, split, False, why)
