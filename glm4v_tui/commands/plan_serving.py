"""The part of the plan that a server is started by, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.plain import plain_line
from glm4v_tui.plan.figures import GIB
from glm4v_tui.plan.serving import UTILIZATION, command, settings_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glm4v_tui.plan.serving import ServingPlan


def serving_lines(plan: ServingPlan, model: str) -> Iterator[str]:
    """What it takes, GPU by GPU; the command; the settings."""
    name = plain_line(model)
    yield f"Served by vLLM on {_where(plan)}, for {plan.requests} questions at a time:"
    yield from _arithmetic(plan)
    if not plan.fits:
        yield "It does not fit even so: give a smaller --context or fewer --requests."
        return
    yield "Start it where the GPUs are:"
    yield ""
    yield f"    {command(plan, name)}"
    yield ""
    yield "Paste into config.toml, with the host's name; then use --engine cluster or F4:"
    yield ""
    yield from (f"    {line}" for line in settings_lines(plan, name).splitlines())


def _where(plan: ServingPlan) -> str:
    many = f"{plan.tensor_parallel} × {plan.card}" if plan.tensor_parallel > 1 else plan.card
    return many if plan.pipeline_parallel == 1 else f"{plan.pipeline_parallel} hosts of {many}"


def _arithmetic(plan: ServingPlan) -> Iterator[str]:
    kind = plan.quantization or "16 bits, or as stored"
    split = f"over {plan.gpus} GPUs" if plan.gpus > 1 else "on one GPU"
    rows = [
        (plan.weights, f"weights ({kind}): {_gib(plan.all_weights)} {split}"),
        (plan.vision, "vision tower, whole on each GPU"),
        (
            plan.kv,
            f"keys and values: {plan.requests} × {plan.context:,} tokens, {_gib(plan.all_kv)} "
            f"{split}",
        ),
        (plan.work, "at work, while a prompt is read"),
        (plan.overhead, "CUDA and captured steps (assumed)"),
    ]
    for size, words in rows:
        yield f"  {_gib(size):>7}  {words}"
    yield (
        f"  {_gib(plan.needed):>7}  GiB on each GPU, of {_gib(plan.usable)} "
        f"({UTILIZATION:.0%} of {_gib(plan.memory)})"
    )


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}"
