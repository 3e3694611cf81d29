"""Keys and values of what has been read, at addresses that stay while a GPU replays its steps.

A cache that grew with every token would move each time; one of the model's whole context would take
what nobody uses. So it grows by some thousand tokens at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from glm4v_tui.inference.language.stack import Stack

STEP = 1024
"""Tokens by which a cache grows; four times as many from :data:`_LONG` on."""
_LONG = 16_384


def capacity_for(tokens: int) -> int:
    """The tokens that a cache holds which must hold so many."""
    step = STEP if tokens <= _LONG else 4 * STEP
    return max(STEP, -(-tokens // step) * step)


class KvCache:
    """Holds ``capacity`` tokens for each of some rows, and grows when they do not suffice.

    ``keys[layer]`` and ``values[layer]`` have the shape (rows, kv heads, capacity, head_dim).
    """

    def __init__(self, stack: Stack, rows: int = 1) -> None:
        self._stack = stack
        self.rows = rows
        self.capacity = 0
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []
        self.generation = 0
        """Changes when the tensors do, and with them their addresses."""

    def make_room(self, tokens: int, kept: int = 0) -> None:
        """Hold at least so many tokens.

        Layer by layer, so that no more than one layer is there twice.

        Args:
            kept: Tokens whose keys and values are still needed.

        Raises:
            torch.OutOfMemoryError: there is no room for them. The cache is empty then.
        """
        if tokens <= self.capacity:
            return
        capacity = capacity_for(tokens)
        self.generation += 1
        try:
            for layer in range(len(self._stack.layers)):
                self._grow(self.keys, layer, capacity, kept)
                self._grow(self.values, layer, capacity, kept)
        except BaseException:
            self.release()
            raise
        self.capacity = capacity

    def release(self) -> None:
        """Give the memory back; views of rows let go of it when they are asked next."""
        self.keys, self.values, self.capacity = [], [], 0
        self.generation += 1

    def rows_from(self, first: int, count: int) -> CacheRows:
        """Some neighboring rows as a cache of their own."""
        return CacheRows(self, first, count)

    def move(self, source: int, target: int, tokens: int) -> None:
        """Copy so many tokens from one row to another."""
        for held in (*self.keys, *self.values):
            held[target, :, :tokens] = held[source, :, :tokens]

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in (*self.keys, *self.values))

    def _grow(self, held: list[torch.Tensor], layer: int, capacity: int, kept: int) -> None:
        stack = self._stack
        shape = (self.rows, stack.kv_heads, capacity, stack.head_dim)
        grown = torch.zeros(shape, dtype=stack.dtype, device=stack.device)
        if layer < len(held):
            grown[:, :, :kept] = held[layer][:, :, :kept]
            held[layer] = grown
        else:
            held.append(grown)


class CacheRows:
    """Neighboring rows of a cache, for what reads a prompt or makes a step."""

    def __init__(self, cache: KvCache, first: int, count: int) -> None:
        self._cache = cache
        self._some = slice(first, first + count)
        self._keys: list[torch.Tensor] = []
        self._values: list[torch.Tensor] = []
        self._seen = -1
        self.rows = count

    @property
    def keys(self) -> list[torch.Tensor]:
        self._look()
        return self._keys

    @property
    def values(self) -> list[torch.Tensor]:
        self._look()
        return self._values

    @property
    def capacity(self) -> int:
        return self._cache.capacity

    @property
    def generation(self) -> int:
        return self._cache.generation

    def _look(self) -> None:
        if self._seen != self._cache.generation:
            self._keys = [tensor[self._some] for tensor in self._cache.keys]
            self._values = [tensor[self._some] for tensor in self._cache.values]
            self._seen = self._cache.generation
