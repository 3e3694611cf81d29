"""Every measured or assumed number that a plan rests on, each with its source.

Measured figures are of one NVIDIA H100 80GB HBM3, torch 2.11+cu130, transformers 5.17,
bitsandbytes 0.50.2, GLM-4.1V-9B's shape with random weights. What is only assumed says so.
"""

from __future__ import annotations

import msgspec

MIB = 1 << 20
GIB = 1 << 30

# Memory beside tensors --------------------------------------------------------------------------

CUDA_CONTEXT = 520 * MIB
"""What NVML counts for a process with one small tensor; smaller GPUs need less."""

DRIVER_RESERVED = 480 * MIB
"""Of an idle card, held by the driver (NVML's second form of memory info)."""

CUBLAS_WORKSPACE = 32 * MIB
"""torch's default on Hopper (``:4096:8``), taken from its allocator; about 8 MiB on others."""

ALLOCATION = 512
"""The allocator rounds every tensor up to this many bytes."""

ALLOCATOR_SLACK = 0.015
"""Share of the peak that torch reserves without using, because freed blocks do not fit anew.
Assumed; not measured yet."""

WORKER_HOST = 3 * GIB // 2
"""Host memory of the worker before any weight: Python, torch, CUDA libraries. Assumed; the same
process without CUDA and with the embedded model takes 0.8 GiB."""

HOST_HEADROOM = 1.15
"""On a CPU, of the free memory over the weights: the rest of the system needs room too."""

TOKENS_AT_ONCE = 1024
"""That feed-forward parts take on a GPU (``inference.pieces``)."""

INT8_INPUTS_AT_ONCE = 1024
"""Tokens that this program's INT8 layers multiply at a time."""

NF4_WEIGHTS_AT_ONCE = 1 << 24
"""Weights that this program's NF4 layers make whole at a time."""

PACKED_AT_ONCE = 1 << 24
"""Weights that are quantized at a time while a checkpoint is loaded."""

# Speed ------------------------------------------------------------------------------------------

DECODE_STEP_S = {
    "fp32": 1 / 23.7,
    "bf16": 1 / 23.7,
    "fp16": 1 / 23.7,
    "int8": 1 / 6.4,
    "mixed": 1 / 15.0,
    "int4": 1 / 15.0,
    "int4-compact": 1 / 15.0,
}
"""Shortest decode step that transformers' own loop was measured at, whatever the bandwidth: the
launching of kernels takes that long. fp32 and fp16 launch what bf16 does, mixed and int4-compact
what int4 does."""

BANDWIDTH_SHARE = 0.9
"""Of the bandwidth that a vendor names, what a copy on the device was measured at (H100: 3.0 of
3.35 TB/s)."""


class Card(msgspec.Struct, frozen=True):
    """A graphics card as the table of deployments knows it."""

    name: str
    memory: int
    """Bytes, as sold."""
    bandwidth: float
    """Bytes a second, as the vendor says."""


CARDS = (
    Card("RTX 3050", 6 * GIB, 168e9),
    Card("RTX 4060", 8 * GIB, 272e9),
    Card("RTX 3060", 12 * GIB, 360e9),
    Card("RTX 4060 Ti", 16 * GIB, 288e9),
    Card("RTX 4090", 24 * GIB, 1008e9),
    Card("RTX A6000", 48 * GIB, 768e9),
    Card("H100", 80 * GIB, 3350e9),
)
"""One usual card of each size. All know bfloat16."""
