"""Feed-forward parts take some tokens at a time."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from glm4v_tui.inference.pieces import equal_pieces, feed_in_pieces


class Part(nn.Module):
    """Notes how many tokens it is given."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.works_in_place, self.given = in_place, list[int]()

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        self.given.append(hidden.shape[-2])
        return hidden * 2


@pytest.mark.parametrize(
    ("in_place", "tokens", "given"),
    [(False, 8, [8]), (False, 9, [5, 4]), (True, 12, [12]), (True, 13, [7, 6]),
     (False, 17, [6, 6, 5])],
)  # fmt: skip
def test_pieces_are_few_and_alike(in_place: bool, tokens: int, given: list[int]) -> None:
    layer = nn.Module()
    layer.mlp = Part(in_place)
    feed_in_pieces([layer], 8)
    hidden = torch.randn(2, tokens, 3)
    assert torch.equal(layer.mlp(hidden), hidden * 2)
    assert layer.mlp.given == given


@pytest.mark.parametrize("tokens", [1, 7, 4096, 6401])
def test_pieces_are_all_of_it(tokens: int) -> None:
    places = list(range(tokens))
    assert [place for some in equal_pieces(tokens, 2048) for place in places[some]] == places
