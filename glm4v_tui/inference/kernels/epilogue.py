"""What happens to the sums of a product before they are written."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def finish(sums: tl.tensor, ups: tl.tensor, DTYPE: tl.constexpr, SWIGLU: tl.constexpr) -> tl.tensor:
    """The sums as DTYPE; with SWIGLU silu(sums) * ups, rounded wherever the unfused model rounds.

    That is: both products, silu's value, and their product.
    """
    if SWIGLU:
        gate = sums.to(DTYPE).to(tl.float32)
        activated = (gate / (1 + tl.exp(-gate))).to(DTYPE).to(tl.float32)
        return (activated * ups.to(DTYPE).to(tl.float32)).to(DTYPE)
    else:
        return sums.to(DTYPE)
