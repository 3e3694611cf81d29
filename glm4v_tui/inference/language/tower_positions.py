"""The vision tower's learned positions, resampled to an image's grid of patches.

transformers samples the table at each patch by ``grid_sample`` (bicubic, a = -0.75, borders
repeated): sixteen reads for every number of every patch. A patch's place in its row and in its
column are all that counts, so two products with small matrices give the same.
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

import torch

_A = -0.75
"""Of the cubic convolution (Keys 1981), as torch has it."""


def add_positions(hidden: torch.Tensor, table: torch.Tensor, grid: tuple[int, int]) -> None:
    """Add to the patches of one image, in place.

    Args:
        hidden: (row blocks, column blocks, rows, columns, width): patches as they are merged later.
        table: (side * side, width).
        grid: Rows and columns of all patches.
    """
    row_blocks, column_blocks, rows, columns, width = hidden.shape
    side = isqrt(len(table))
    by_row, by_column = (taps(count, side).to(table.device) for count in grid)
    tall = by_row @ table.float().view(side, side * width)
    found = torch.matmul(by_column, tall.view(grid[0], side, width))
    found = found.view(row_blocks, rows, column_blocks, columns, width).transpose(1, 2)
    hidden.add_(found.to(table.dtype))


@lru_cache(maxsize=64)
def taps(count: int, side: int) -> torch.Tensor:
    """What each of ``count`` places takes of each of ``side``: float32 (count, side)."""
    with torch.inference_mode(mode=False):
        places = (torch.arange(count, dtype=torch.float64) + 0.5) * side / count - 0.5
        before = places.floor()
        found = torch.zeros(count, side, dtype=torch.float64)
        for tap in range(-1, 3):
            at = (before + tap).clamp(0, side - 1).long()
            found.scatter_add_(1, at[:, None], _cubic(places - before - tap)[:, None])
        return found.float()


def _cubic(distance: torch.Tensor) -> torch.Tensor:
    x = distance.abs()
    near = ((_A + 2) * x - (_A + 3)) * x * x + 1
    far = ((_A * x - 5 * _A) * x + 8 * _A) * x - 4 * _A
    return torch.where(x <= 1, near, far)
