"""Several ways to go on from one place, read in one pass behind each other.

Each way sees what is before the place and itself, not the others: the keys and values of the prompt
are there once, whatever the number of ways (tree attention; Miao et al. 2023, "SpecInfer").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AT_ONCE = 64
"""Tokens of a pass, unless a single way has more: their logits are of a large vocabulary each."""


@dataclass(frozen=True)
class Branches:
    """Ways of at least one token each."""

    ways: tuple[tuple[int, ...], ...]

    @property
    def ids(self) -> list[int]:
        """All tokens, way after way."""
        return [token for way in self.ways for token in way]

    def positions(self, first: int) -> torch.Tensor:
        """Of all tokens, (tokens,); every way begins at ``first``."""
        return torch.cat([torch.arange(first, first + len(way)) for way in self.ways])

    def mask(self, before: int) -> torch.Tensor:
        """What each token sees, bool, (tokens, before + tokens)."""
        way_of = torch.tensor([number for number, way in enumerate(self.ways) for _ in way])
        own = (way_of[:, None] == way_of).tril()
        return torch.cat((torch.ones(len(own), before, dtype=torch.bool), own), dim=1)

    def of_each(self, rows: torch.Tensor) -> Iterator[torch.Tensor]:
        """(tokens, ...) to a part for each way."""
        first = 0
        for way in self.ways:
            yield rows[first : first + len(way)]
            first += len(way)


def in_passes(ways: Sequence[Sequence[int]]) -> Iterator[Branches]:
    """The ways in their order, so many together that a pass is small."""
    together: list[tuple[int, ...]] = []
    for way in ways:
        if together and sum(map(len, together)) + len(way) > AT_ONCE:
            yield Branches(tuple(together))
            together = []
        together.append(tuple(way))
    if together:
        yield Branches(tuple(together))
