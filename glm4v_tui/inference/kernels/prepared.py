"""Launches that skip Triton's look at every argument.

By their types, and whether they are multiples of 16, it finds what it has compiled; that takes a
CPU several times as long as the launch. Of a kernel that a prompt launches hundreds of times, its
caller says the same with less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

    import torch

    Grid = tuple[int, int, int]


class Prepared:
    """A kernel whose compiled forms are found by what their caller says of them."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._compiled: dict[Hashable, Any] = {}

    def launch(
        self, grid: Grid, form: Hashable, args: tuple[Any, ...], constants: dict[str, Any]
    ) -> None:
        """As ``kernel[grid](*args, **constants)``.

        Args:
            form: What compiling depends on, the device among it: dtypes, constants, and of
                pointers and numbers whether they are multiples of 16. No number may be 1.
            constants: In the order of the kernel's parameters, which they end, and then options.
        """
        if (compiled := self._compiled.get(form)) is not None:
            compiled[grid](*args, *constants.values())
        # None while launches are only noted, and from Triton's interpreter.
        elif (compiled := self._kernel[grid](*args, **constants)) is not None:
            self._compiled[form] = compiled


def is_aligned(tensor: torch.Tensor) -> bool:
    return tensor.data_ptr() % 16 == 0
