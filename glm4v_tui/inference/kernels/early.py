"""Programmatic dependent launch: a kernel starts while the one before it ends.

What no kernel just before has written (weights) may be read before :func:`wait`, all else only
after it. Weights that are copied in while a model runs need a synchronized stream, or any operation
of torch's, between the copy and the first product. Devices before Hopper and Triton's interpreter
have nothing of the kind: EARLY is False.
"""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait


@triton.jit
def let_next_start(EARLY: tl.constexpr) -> tl.tensor:
    """The next kernel may use what this one leaves free."""
    if EARLY:
        gdc_launch_dependents()


@triton.jit
def wait(EARLY: tl.constexpr) -> tl.tensor:
    """Until all kernels before this one have ended and what they wrote can be read."""
    if EARLY:
        gdc_wait()


def early(is_early: bool) -> dict[str, bool]:
    """The launch's part of it."""
    return {"launch_pdl": True} if is_early else {}
