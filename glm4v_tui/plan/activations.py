"""What is alive beside the weights while an image is encoded and while a prompt is read.

The formulas count the tensors that live at once in the widest moment of a layer, for attention
that never writes its scores (``sdpa``). They are counted in transformers' ``modeling_glm4v`` and
``modeling_glm``, where a trace of all allocations agrees (tests/plan), and in GLM-4V-9B's
EVA2-CLIP. Sizes are in bytes; ``rows`` are patches or tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm4v_tui.plan.figures import FEWER_AT_ONCE, READ_AT_ONCE, TOKENS_AT_ONCE
from glm4v_tui.plan.formats import itemsize, product_bytes
from glm4v_tui.plan.image_size import patches_of, seen_size, tokens_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glm4v_tui.plan.rules import Precision
    from glm4v_tui.plan.shape import Language, Shape, Vision
    from glm4v_tui.precision import Format

    Size = tuple[int, int]

_FLOAT32 = 4
_LOGITS = 2 * _FLOAT32 + 2
"""Bytes of a vocabulary entry in the last step: the head's own number, float32, its sorted copy."""


@dataclass(frozen=True)
class Images:
    """The images of a prompt, as the vision tower gets them."""

    patches: int
    """Vectors in the tower's layers."""
    tokens: int
    """Places in the context."""

    @classmethod
    def seen(cls, vision: Vision | None, sizes: Sequence[Size]) -> Images:
        """Of images by the (width, height) that the tower sees them at. Where nothing is known of
        the tower, nothing is counted."""
        if vision is None:
            return cls(0, 0)
        patches = sum(patches_of(vision, size) for size in sizes)
        return cls(patches, sum(tokens_of(vision, size) for size in sizes))

    @classmethod
    def of(cls, vision: Vision | None, sizes: Sequence[Size]) -> Images:
        """Of images by the (width, height) of their files.

        Raises:
            ValueError: one of them cannot be seen.
        """
        return cls.seen(vision, [seen_size(vision, size) for size in sizes] if vision else [])


def pixel_bytes(vision: Vision, images: Images, precision: Precision) -> int:
    """The pictures themselves, as the model is given them."""
    patch = vision.channels * vision.frames * vision.patch**2
    return images.patches * patch * itemsize(precision.compute)


def vision_bytes(vision: Vision, images: Images, precision: Precision) -> int:
    """The widest moment of the vision tower and of the adapter behind it."""
    feed = _turning_feed if vision.gated else _tower_mlp
    return max(
        images.patches * _attention(vision, precision.compute),
        feed(vision, images.patches, precision),
        _adapter(vision, images, precision),
    )


def _attention(vision: Vision, compute: Format) -> int:
    """A row where queries, keys and values have come out of one matrix: residual, the layer's
    input, what was attended, and the three. Queries and keys are turned where they are."""
    angles = 2 * vision.head_dim * _FLOAT32 if vision.rotary else 0
    return (1 + 1 + 1 + 3) * vision.hidden * itemsize(compute) + angles


def _turning_feed(vision: Vision, rows: int, precision: Precision) -> int:
    """The feed-forward part of ``inference.language.tower``, all rows at once: the layer's input,
    the residual, the part's input, the gate's result, and up's product; and the angles."""
    size = itemsize(precision.compute)
    held = (3 * vision.hidden + vision.ffn) * size + 2 * vision.head_dim * _FLOAT32
    return rows * held + _product(rows, vision.ffn, vision.hidden, precision.vision, precision)


def _tower_mlp(vision: Vision, rows: int, precision: Precision) -> int:
    """A part without a gate, whose activation works in place (EVA2-CLIP)."""
    size = itemsize(precision.compute)

    def wide(some: int) -> int:
        widened = some * vision.ffn * size
        return widened + _product(some, vision.hidden, vision.ffn, precision.vision, precision)

    return _fed(rows, 2 * vision.hidden * size, vision.hidden * size, wide, precision, 1.5)


def _gated(rows: int, ffn: int, product: int, size: int) -> int:
    """The gate's result waits while the other product is made, and while they are multiplied."""
    return max(rows * 3 * ffn * size, rows * ffn * size + product)


def _fed(
    rows: int,
    held: int,
    result: int,
    wide: Callable[[int], int],
    precision: Precision,
    share: float = 1,
) -> int:
    """A feed-forward part. In pieces, the result as a whole is there from the second one on.

    Args:
        held: Bytes a row of what lives around it.
        result: Bytes a row of what comes out of it.
        wide: Bytes at its widest moment for a number of rows.
        share: Of the usual rows, those that it takes at once.
    """
    at_once = FEWER_AT_ONCE if precision.embedding_in_host else TOKENS_AT_ONCE
    at_once = int(at_once * share)
    if not precision.in_pieces or rows <= at_once:
        return rows * held + wide(rows)
    piece = -(-rows // -(-rows // at_once))
    return rows * (held + result) + wide(piece)


def _adapter(vision: Vision, images: Images, precision: Precision) -> int:
    """The gated projection at the tower's end, whose gate works in place; with EVA2-CLIP's last
    vectors still alive."""
    size = itemsize(precision.compute)
    rows, ffn, width = images.tokens, vision.adapter_ffn, vision.adapter_width
    product = _product(rows, ffn, width, precision.adapter, precision)
    vectors = rows * 2 * width * size
    if not vision.rotary:
        vectors += images.patches * vision.hidden * size
    return vectors + rows * ffn * size + product


def _product(inputs: int, rows: int, columns: int, form: Format, precision: Precision) -> int:
    """A product whose matrix is in ``form``, or in what is computed with when that is plain."""
    return product_bytes(inputs, rows, columns, form, in_pieces=precision.in_pieces)


def held_bytes(shape: Shape, images: Images, prompt: int, precision: Precision) -> int:
    """What lives from the images to the last layer: pictures, features twice (before and after
    the adapter), the prompt's vectors before and after they are filled in."""
    size = itemsize(precision.compute) * shape.language.hidden
    pictures = pixel_bytes(shape.vision, images, precision) if shape.vision else 0
    return pictures + 2 * images.tokens * size + 2 * prompt * size


def prefill_bytes(text: Language, prompt: int, precision: Precision) -> int:
    """The widest moment of the language model's layers while ``prompt`` tokens are read."""
    if precision.in_pieces and text.gate_products == _FUSED_GATE:
        return own_prefill_bytes(text, min(prompt, READ_AT_ONCE), precision)
    return library_prefill_bytes(text, prompt, precision)


_FUSED_GATE = 4
"""Gate and up come from one matrix, as in GLM's layers."""


def own_prefill_bytes(text: Language, prompt: int, precision: Precision) -> int:
    """On this program's own loop, whose norms are one kernel and whose gate works in place: two
    streams, a part's input and its result, and the gate's and up's rows."""
    vectors = text.hidden * itemsize(precision.compute)

    def wide(some: int) -> int:
        return _product(some, 2 * text.ffn, text.hidden, precision.language, precision)

    return _fed(prompt, 3 * vectors, vectors, wide, precision)


def library_prefill_bytes(text: Language, prompt: int, precision: Precision) -> int:
    """On transformers' modules: in the feed-forward part, or, where that is fed in pieces, in a
    norm, which computes in float32."""
    size = itemsize(precision.compute)
    norm = prompt * text.hidden * (3 * size + 2 * _FLOAT32)

    def wide(some: int) -> int:
        together = text.gate_products == _FUSED_GATE
        rows = 2 * text.ffn if together else text.ffn
        product = _product(some, rows, text.hidden, precision.language, precision)
        if together:
            return max(some * 4 * text.ffn * size, product)
        return _gated(some, text.ffn, product, size)

    vectors = text.hidden * size
    return max(norm, _fed(prompt, 3 * vectors, vectors, wide, precision))


def decode_bytes(text: Language, kv: int) -> int:
    """One token's step: the scores of all tokens, and one layer's keys and values while they are
    copied to where they have room to grow. One row is multiplied without making NF4 whole."""
    return text.vocabulary * _LOGITS + kv // max(1, text.layers)
