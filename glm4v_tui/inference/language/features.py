"""What images were encoded to, kept for the next question about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

BUDGET = 64 << 20
"""Bytes; an image of 1120x1120 pixels takes 13 MB. They are needed again where the keys and values
of a conversation are not: after another beginning, or in another chat."""


class Features:
    """The features of recent images by content, in bounded memory."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._held: dict[str, torch.Tensor] = {}

    def get(
        self, key: str, encode: Callable[[], torch.Tensor], *, keep: bool = True
    ) -> torch.Tensor:
        """Those of an image, encoded now if they are not held.

        Args:
            keep: False for an image that is asked about once: it drives no other one out.
        """
        found = self._held.pop(key, None)
        if found is None:
            found = encode()
            if not keep:
                return found
        self._held[key] = found
        self._shrink()
        return found

    def __contains__(self, key: str) -> bool:
        return key in self._held

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self._held.values())

    def release(self) -> None:
        """Let go of all of them."""
        self._held.clear()

    def _shrink(self) -> None:
        while len(self._held) > 1 and self.nbytes > self._budget:
            del self._held[next(iter(self._held))]
