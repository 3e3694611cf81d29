"""Every measured or assumed number that a plan rests on, each with its source.

Measured figures are of one NVIDIA H100 80GB HBM3, torch 2.11+cu130, transformers 5.17,
bitsandbytes 0.50.2, random weights in the shapes of GLM-4.1V-9B and GLM-4V-9B. What is only assumed
says so.
"""

from __future__ import annotations

import msgspec

from glm4v_tui.precision import Format

MIB = 1 << 20
GIB = 1 << 30

# Memory beside tensors --------------------------------------------------------------------------

CUDA_CONTEXT = 520 * MIB
"""What NVML counts for a process with one small tensor; smaller GPUs need less."""

CUDA_KERNELS = 180 * MIB
"""What it counts beside that and the allocator after an answer: the libraries' kernels, loaded when
they are first used. 0.17 GiB in bf16 and NF4 (``bench memory``, NVML less reserved)."""

CUDA_KERNELS_MORE = 68 * MIB
"""And with INT8, or with layers that are streamed: 0.24 GiB together."""

DRIVER_SHARE = 0.006
"""Of a card, held by the driver: 480 MiB of 80 GiB (NVML's second form of memory info). Assumed to
grow with the card."""

CUBLAS_WORKSPACE = 32 * MIB
"""torch's default on Hopper (``:4096:8``), taken from its allocator; about 8 MiB on others."""

ALLOCATION = 512
"""The allocator rounds every tensor up to this many bytes,"""

LARGE_ALLOCATION, SEGMENT, LEAST_REST = 10 * MIB, 2 * MIB, MIB
"""and takes memory for large ones in steps of 2 MiB, of which it gives away no rest up to 1 MiB
(torch, ``c10/cuda/CUDACachingAllocator.cpp``: kMinLargeAlloc, kRoundLarge, kSmallSize)."""

ALLOCATOR_SLACK = 256 * MIB
"""What torch reserves at the peak without using it, because freed blocks do not fit anew: 0.07 to
0.25 GiB with bf16 and NF4 in nine rows of ``bench memory``, no more for larger models."""

ALLOCATOR_SLACK_MORE = 112 * MIB
"""And with INT8, or with layers that are streamed: 0.19 to 0.36 GiB in six."""

WORKER_HOST = 3 * GIB // 2
"""Host memory of the worker before any weight: Python, torch, CUDA libraries. Assumed; the same
process without CUDA and with the embedded model takes 0.8 GiB."""

HOST_HEADROOM = 1.15
"""On a CPU, of the free memory over the weights: the rest of the system needs room too."""

TOKENS_AT_ONCE, FEWER_AT_ONCE = 2048, 1024
"""That feed-forward parts take on a GPU, and where the embedding is in host memory
(``inference.pieces``)."""

READ_AT_ONCE = 4096
"""Tokens that this program's own loop reads at a time (``inference.language.reading``)."""

WEIGHTS_AT_ONCE = 1 << 25
"""Packed weights that are made whole at a time (``inference.kernels.unpack``)."""

PACKED_AT_ONCE = 1 << 24
"""Weights that are quantized at a time while a checkpoint is loaded."""

# Speed ------------------------------------------------------------------------------------------

DECODE_SHARE = {
    Format.FP32: 0.14,
    Format.BF16: 0.95,
    Format.FP16: 0.95,
    Format.INT8: 0.76,
    Format.NF4: 0.49,
}
"""By the language model's format, of the limit that the bandwidth sets (:data:`BANDWIDTH_SHARE` of
the vendor's), what this program's loop was measured at: 162, 243 and 272 tokens/s in bf16, INT8 and
NF4 on an H100, GLM-4.1V's shape, 2,000 tokens of context (``bench speed``). NF4 is bound by what
unpacking costs, not by memory; fp16 computes as bf16 does; fp32 is not captured and was not
measured: what transformers' loop takes. Other cards are assumed to reach the same share."""

LIBRARY_STEP_S = {Format.INT8: 1 / 6.4, Format.NF4: 1 / 15.0}
LIBRARY_PLAIN_STEP_S = 1 / 23.7
"""Shortest decode step that transformers' own loop was measured at, whatever the bandwidth, for
models that this program's loop does not know: the launching of kernels takes that long."""

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
