"""What a server needs for a model, or a load, that is beyond one box: GPUs, and vLLM's options.

Of vLLM's documentation: tensor parallelism splits every matrix over the GPUs of a host and wants
the attention heads to be divisible by their number; pipeline parallelism gives each host some of
the layers; of each GPU's memory ``gpu_memory_utilization`` (0.9) is used. Keys and values are split
by their heads, of which each GPU holds one at least. The vision tower is counted whole for each GPU
of a host, which is the most that it can take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.plan.figures import CARDS, CUDA_CONTEXT, GIB
from glm4v_tui.plan.memory import Load, plans
from glm4v_tui.plan.rules import PRECISIONS

if TYPE_CHECKING:
    from glm4v_tui.plan.memory import Plan
    from glm4v_tui.plan.shape import Shape

UTILIZATION = 0.9
"""vLLM's default share of a GPU's memory."""
CUDA_GRAPHS = GIB
"""That vLLM's captured steps take on each GPU. Assumed; not measured here."""
_GPUS = (1, 2, 4, 8)
"""Of one host."""
_HOSTS = (1, 2, 4, 8)
_FP8 = "fp8"
REQUESTS = 8
"""Questions at a time where nobody says how many."""
BIGGEST = CARDS[-1]


class ServingPlan(msgspec.Struct, frozen=True):
    """GPUs that hold a model for a number of questions at a time. Sizes in bytes, of one GPU."""

    card: str
    memory: int
    """Of each GPU."""
    usable: int
    tensor_parallel: int
    """GPUs of each host."""
    pipeline_parallel: int
    """Hosts."""
    quantization: str
    """Empty for 16 bits or as stored; else ``fp8``."""
    requests: int
    context: int
    """Tokens of each."""
    images: int
    """Of each request."""
    all_weights: int
    """Of the language model, its embedding and head: all of them."""
    weights: int
    vision: int
    all_kv: int
    """Keys and values of all requests at their longest."""
    kv: int
    work: int
    """At work, while a prompt is read."""
    overhead: int
    """CUDA itself, and captured steps."""
    fits: bool

    @property
    def needed(self) -> int:
        return self.weights + self.vision + self.kv + self.work + self.overhead

    @property
    def gpus(self) -> int:
        return self.tensor_parallel * self.pipeline_parallel


def serving_plan(
    shape: Shape, load: Load, requests: int = REQUESTS, memory: int | None = None
) -> ServingPlan:
    """The fewest GPUs that hold a model, in 16 bits where one host can, else in 8.

    Args:
        memory: Bytes of each GPU; None for the largest of the usual cards.

    Raises:
        ValueError: an image of ``load`` has a size that the model cannot see.
    """
    (plan,) = plans(shape, gpu_free=0, load=load, precisions=[PRECISIONS["bf16"]])
    tried = [
        _on(shape, load, plan, requests, memory, way)
        for way in _ways(shape)
        if shape.language.heads % way[0] == 0
    ]
    return next((one for one in tried if one.fits), tried[-1])


def command(plan: ServingPlan, model: str) -> str:
    """What starts vLLM so; for a POSIX shell."""
    import shlex

    parts = ["vllm", "serve", shlex.quote(model)]
    if plan.tensor_parallel > 1:
        parts += ["--tensor-parallel-size", str(plan.tensor_parallel)]
    if plan.pipeline_parallel > 1:
        parts += ["--pipeline-parallel-size", str(plan.pipeline_parallel)]
    if plan.quantization:
        parts += ["--quantization", plan.quantization]
    parts += ["--max-model-len", str(plan.context), "--max-num-seqs", str(plan.requests)]
    parts += ["--gpu-memory-utilization", str(UTILIZATION)]
    return " ".join(parts)


def settings_lines(plan: ServingPlan, model: str) -> str:
    """What is pasted into ``config.toml``; HOST is left to be filled in."""
    name = model.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'[engines.cluster]\nurl = "http://HOST:8000/v1"\nmodel = "{name}"\n'
        f"max_in_flight = {plan.requests}"
    )


def _ways(shape: Shape) -> list[tuple[int, int, str]]:
    """GPUs a host, hosts, quantization; the one to be preferred first."""
    one_host = [(gpus, 1, "") for gpus in _GPUS]
    if shape.is_stored_quantized:  # it is as small as it is
        return [*one_host, *((_GPUS[-1], hosts, "") for hosts in _HOSTS[1:])]
    small = [(_GPUS[-1], hosts, _FP8) for hosts in _HOSTS]
    return [*one_host, *small]


def _on(
    shape: Shape,
    load: Load,
    plan: Plan,
    requests: int,
    memory: int | None,
    way: tuple[int, int, str],
) -> ServingPlan:
    gpus, hosts, quantization = way
    parts = plan.weights
    language = parts.language // 2 if quantization == _FP8 else parts.language
    outside = parts.embedding + parts.head  # not quantized, and on the first and last host
    layers = -(-shape.language.layers // hosts) / shape.language.layers
    heads = min(gpus, shape.language.kv_heads)
    all_kv = requests * load.context * plan.kv_per_token
    size = memory or BIGGEST.memory
    made = ServingPlan(
        card=f"{size / GIB:.0f} GiB" if memory else BIGGEST.name,
        memory=size,
        usable=int(size * UTILIZATION),
        tensor_parallel=gpus,
        pipeline_parallel=hosts,
        quantization=quantization,
        requests=requests,
        context=load.context,
        images=len(load.sizes),
        all_weights=language + outside,
        weights=int((language * layers + (outside if hosts == 1 else outside / 2)) / gpus),
        vision=parts.vision + parts.adapter,
        all_kv=all_kv,
        kv=int(all_kv * layers / heads),
        work=plan.activations + plan.workspace,
        overhead=CUDA_CONTEXT + CUDA_GRAPHS,
        fits=False,
    )
    return msgspec.structs.replace(made, fits=made.needed <= made.usable)
