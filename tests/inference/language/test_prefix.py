from __future__ import annotations

import torch

from glm4v_tui.inference.language.features import Features
from glm4v_tui.inference.language.prefix import common, slots_of
from glm4v_tui.inference.language.sight import Span


def test_tokens_of_different_images_differ_although_their_ids_do_not() -> None:
    ids = [1, 9, 9, 9, 2]
    one = slots_of(ids, [Span(1, 4, "a", 0)])
    other = slots_of(ids, [Span(1, 4, "b", 0)])
    assert common(one, slots_of(ids, [Span(1, 4, "a", 0)]), ()) == 5
    assert common(one, other, [Span(1, 4, "b", 0)]) == 1


def test_an_image_counts_whole_or_not_at_all() -> None:
    span = Span(1, 5, "a", 0)
    held = slots_of([1, 9, 9], [Span(1, 3, "a", 0)])
    assert common(held, slots_of([1, 9, 9, 9, 9, 2], [span]), [span]) == 1


def test_features_are_encoded_once_and_the_oldest_go() -> None:
    encoded: list[str] = []

    def encode(key: str) -> torch.Tensor:
        encoded.append(key)
        return torch.zeros(100)  # 400 bytes

    features = Features(budget=900)
    for key in ("a", "b", "a", "c", "b"):
        features.get(key, lambda key=key: encode(key))  # type: ignore[misc]
    assert encoded == ["a", "b", "c", "b"]
    assert features.nbytes <= 900
