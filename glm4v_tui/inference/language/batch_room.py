"""How many answers are written together: as many rows as there is memory for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from glm4v_tui.inference.language.kv_cache import capacity_for

if TYPE_CHECKING:
    from glm4v_tui.inference.language.stack import Stack

GPU_SIZES = (1, 4, 8, 16)
"""Rows of the steps that are captured. Each number has a graph of its own: a capture takes a tenth
of a second and some memory, so there are four of them and not sixteen. A step reads all weights
however many rows it has, so rows that nobody writes in cost little."""
CPU_SIZES = tuple(range(1, 9))
"""Nothing is captured, so nothing is padded. The embedded model writes 341, 560, 774 and 997
tokens a second in 1, 2, 4 and 8 rows on one core, and with 16 fewer than with 8."""
KEPT_FREE = 3 << 29
"""Bytes of a GPU that rows leave: what reading a prompt and its image needs on the way."""


def sizes_for(stack: Stack) -> tuple[int, ...]:
    """Numbers of rows that a step may have, ascending from 1."""
    return CPU_SIZES if stack.device.type == "cpu" else GPU_SIZES


def size_for(rows: int, sizes: tuple[int, ...]) -> int:
    """The smallest size that so many rows fit in."""
    return next(size for size in sizes if size >= rows)


def affordable(stack: Stack, tokens: int, most: int) -> int:
    """How many rows of so many tokens there is memory for: one of the sizes, at least 1."""
    rows = free_bytes(stack.device) // row_bytes(stack, tokens)
    return max((size for size in sizes_for(stack) if size <= min(rows, most)), default=1)


def row_bytes(stack: Stack, tokens: int) -> int:
    """Of the keys and values of a row that holds at least so many tokens."""
    numbers = 2 * len(stack.layers) * stack.kv_heads * capacity_for(tokens) * stack.head_dim
    return numbers * stack.dtype.itemsize


def free_bytes(device: torch.device) -> int:
    """What rows may take on a device now."""
    if device.type != "cuda":
        import psutil

        return int(psutil.virtual_memory().available) // 2
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return max(0, int(free) + int(unused) - KEPT_FREE)
