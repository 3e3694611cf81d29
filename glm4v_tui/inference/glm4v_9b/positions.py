"""Where tokens stand: all tokens of an image share one position.

An image takes three positions (begin, image, end) and as many slots of the KV cache as it has
tokens, so a position is not to be told from the length of a cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class ImageIds(NamedTuple):
    """The ids that an image is written with: begin, one for each token, end."""

    begin: int
    token: int
    end: int


def position_ids_of(input_ids: Tensor, image: ImageIds | None, mask: Tensor | None) -> Tensor:
    """Positions of whole prompts.

    Args:
        input_ids: (batch, tokens), every token of an image written out.
        image: None when there are no images.
        mask: (batch, tokens), 0 where padding is; None when there is none.

    Returns:
        (batch, tokens), 0 at padding.
    """
    is_text = input_ids.new_ones(input_ids.shape) if mask is None else mask.to(input_ids, copy=True)
    padding = is_text == 0
    if image is not None:
        opened = (input_ids == image.begin).cumsum(-1) - (input_ids == image.end).cumsum(-1)
        inside = (input_ids == image.token) & (opened > 0) & ~padding
        is_text[:, 1:].masked_fill_(inside[:, 1:] & inside[:, :-1], 0)
    return (is_text.cumsum(-1) - 1).masked_fill(padding, 0)


def image_slots(input_ids: Tensor, image: ImageIds, position_ids: Tensor) -> Tensor:
    """Where an image's vectors go: (batch, tokens), true from its begin to its end.

    The id of an image's tokens is also the padding's, and padding stands at position 0.
    """
    framed = (input_ids == image.begin) | (input_ids == image.end)
    return framed | ((input_ids == image.token) & (position_ids > 0))
