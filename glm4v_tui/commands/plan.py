"""``glm4v-tui plan``: what a model takes and how fast it can be, before it is loaded."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.commands.plan_text import text_of
from glm4v_tui.errors import UsageError
from glm4v_tui.gpu import read_abilities, read_gpus, read_host, visible_gpus
from glm4v_tui.plan import Gpu, Load, Plan, choose, plans, usual_load
from glm4v_tui.plan.cards import CardPlan, card_plans
from glm4v_tui.plan.figures import GIB
from glm4v_tui.plan.finding import find_shape
from glm4v_tui.plan.serving import REQUESTS, ServingPlan, serving_plan

if TYPE_CHECKING:
    from glm4v_tui.plan import Shape

_SIZE = re.compile(r"(\d{1,6})[xX×](\d{1,6})")


@dataclass(frozen=True)
class PlanOptions:
    """The command line, as it was given; None where nothing was."""

    model: str
    image: str = "1120x1120"
    context: int | None = None
    gpu_memory: float | None = None
    requests: int | None = None
    as_json: bool = False


class Machine(msgspec.Struct, frozen=True):
    """The memory that there is to plan for."""

    gpu: str
    """Its name; empty where there is none."""
    gpu_free: int | None
    bandwidth: float | None
    host_free: int | None
    is_assumed: bool
    """True when the GPU is one that the user made up."""


class PlanReport(msgspec.Struct, frozen=True):
    """What ``--json`` prints. Sizes in bytes, speeds in tokens a second."""

    model: str
    model_type: str
    parameters: int
    source: str
    """Where the sizes come from, in words."""
    is_rough: bool
    """True for families whose activations are only guessed."""
    image: tuple[int, int]
    load: Load
    machine: Machine
    plans: tuple[Plan, ...]
    """On the GPU, whether there is one or not."""
    cpu_plans: tuple[Plan, ...]
    recommended: Plan
    fits: bool
    why: str
    devices: tuple[str, ...]
    """That the recommended plan uses."""
    layers: tuple[str, ...]
    """The device of each layer of the language model."""
    cards: tuple[CardPlan, ...]
    serving: ServingPlan | None = None
    """A server for it: where it is beyond this machine, or questions at a time were asked for."""


def run(options: PlanOptions) -> int:
    """Print the plan; the exit code.

    Raises:
        GlmError: the model cannot be found, or an option makes no sense.
    """
    report = _report(options)
    if options.as_json:
        sys.stdout.write(f"{msgspec.json.encode(report).decode()}\n")
    else:
        sys.stdout.write(text_of(report))
    return 0


def _report(options: PlanOptions) -> PlanReport:
    size = _size(options.image)
    shape = find_shape(options.model)
    load = Load((size,), _context(options.context, shape))
    gpus, machine = _machine(options.gpu_memory)
    try:
        report = _planned(shape, size, load, gpus, machine)
        if report.fits and options.requests is None:
            return report
        memory = None if options.gpu_memory is None else int(options.gpu_memory * GIB)
        serving = serving_plan(shape, load, options.requests or REQUESTS, memory)
        return msgspec.structs.replace(report, serving=serving)
    except ValueError as error:
        raise UsageError("The model cannot see such an image", str(error), "Crop it.") from error


def _planned(
    shape: Shape, size: tuple[int, int], load: Load, gpus: list[Gpu], machine: Machine
) -> PlanReport:
    chosen = choose(shape, gpus, host_free=machine.host_free, load=load)
    on_gpu = plans(
        shape,
        gpu_free=machine.gpu_free or 0,
        host_free=machine.host_free,
        load=load,
        bandwidth=machine.bandwidth,
    )
    on_cpu = plans(shape, gpu_free=None, host_free=machine.host_free, load=load)
    return PlanReport(
        model=shape.name,
        model_type=shape.model_type,
        parameters=shape.parameters,
        source=shape.source,
        is_rough=shape.is_rough,
        image=size,
        load=load,
        machine=machine,
        plans=on_gpu,
        cpu_plans=tuple(p for p in on_cpu if p.precision in ("fp32", "bf16", "as stored")),
        recommended=chosen.plan,
        fits=chosen.fits,
        why=chosen.why,
        devices=chosen.split.devices,
        layers=chosen.split.layers,
        cards=card_plans(shape, load),
    )


def _size(text: str) -> tuple[int, int]:
    found = _SIZE.fullmatch(text.strip())
    if found is None or not all(map(int, found.groups())):
        raise UsageError(
            "The image size cannot be understood",
            f"{text!r} is not WIDTHxHEIGHT in pixels, each from 1 to 999,999.",
            "Write for example --image 1120x840.",
        )
    return int(found[1]), int(found[2])


def _context(wanted: int | None, shape: Shape) -> int:
    most = shape.language.max_context
    if wanted is None:
        return usual_load(shape).context
    if most is not None and wanted > most:
        raise UsageError(
            "The model reads fewer tokens than that",
            f"{shape.name} was made for {most:,}.",
            f"Give --context {most} or less.",
        )
    return wanted


def _machine(gib: float | None) -> tuple[list[Gpu], Machine]:
    """The GPUs to plan for, and the largest of them in words."""
    host = read_host()
    host_free = host.available if host is not None else None
    if gib is not None and not math.isfinite(gib):
        raise UsageError("--gpu-memory is no number", "", "Give GiB, for example 12.")
    if gib is not None:
        made_up = Gpu(0, int(gib * GIB))
        return [made_up], Machine(f"a GPU with {gib:g} GiB free", made_up.free, None, None, True)
    abilities = read_abilities()
    gpus: list[Gpu] = []
    names: list[str] = []
    for number, reading in enumerate(visible_gpus(read_gpus().gpus)):
        if reading.memory_free is None:
            continue
        ability = abilities.get(reading.index)
        bandwidth = ability.bandwidth if ability else None
        has_bf16 = ability is None or ability.has_bf16 is not False
        gpus.append(Gpu(number, reading.memory_free, bandwidth, has_bf16))
        names.append(reading.name)
    if not gpus:
        return [], Machine("", None, None, host_free, False)
    best = max(gpus, key=lambda gpu: gpu.free)
    name = names[gpus.index(best)]
    return gpus, Machine(name, best.free, best.bandwidth, host_free, False)
