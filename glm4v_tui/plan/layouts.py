"""All tensors of the families whose code is known, from their sizes alone.

For models that are planned before they are here. What a file says counts more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.plan.shape import Weight
from glm4v_tui.precision import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glm4v_tui.plan.configs import Config
    from glm4v_tui.plan.shape import Language, Vision

_LANGUAGE, _VISION, _ADAPTER = Part.LANGUAGE, Part.VISION, Part.ADAPTER


def glm_weights(config: Config, text: Language, vision: Vision) -> tuple[Weight, ...]:
    """Of a ``glm4v`` (GLM-4.1V-9B, GLM-4.6V-Flash), as transformers builds it."""
    merger = config["vision_config"]
    out, wide = int(merger["out_hidden_size"]), int(merger["intermediate_size"])
    return (
        *_tables(text),
        *_language_layers(text, norms=4),
        *_glm_tower(vision, int(merger.get("image_size", 336))),
        Weight(_ADAPTER, (out, vision.hidden, vision.merge, vision.merge)),
        Weight(_ADAPTER, (out,)),
        *_merger(out, out, wide),
    )


def original_weights(text: Language, vision: Vision | None) -> tuple[Weight, ...]:
    """Of GLM-4V-9B as published; without a tower, of GLM-4-9B."""
    own = (*_tables(text), *_language_layers(text, norms=2))
    if vision is None:
        return own
    return (
        *own,
        *_eva_tower(vision),
        Weight(_ADAPTER, (text.hidden, vision.hidden, vision.merge, vision.merge)),
        Weight(_ADAPTER, (text.hidden,)),
        *_merger(text.hidden, text.hidden, text.ffn),
        Weight(_ADAPTER, (1, 1, text.hidden), count=2),
    )


def _tables(text: Language) -> Iterator[Weight]:
    yield Weight(Part.EMBEDDING, (text.vocabulary, text.hidden))
    yield Weight(Part.HEAD, (text.vocabulary, text.hidden), is_matrix=True)
    yield Weight(_LANGUAGE, (text.hidden,))


def _language_layers(text: Language, norms: int) -> Iterator[Weight]:
    layers, hidden = text.layers, text.hidden
    queries, keys = text.heads * text.head_dim, text.kv_heads * text.head_dim
    for rows, columns, each in (
        (queries, hidden, 1),
        (keys, hidden, 2),
        (hidden, queries, 1),
        (2 * text.ffn, hidden, 1),
        (hidden, text.ffn, 1),
    ):
        yield Weight(_LANGUAGE, (rows, columns), is_matrix=True, count=layers * each)
    yield Weight(_LANGUAGE, (queries,), count=layers)
    yield Weight(_LANGUAGE, (keys,), count=2 * layers)
    yield Weight(_LANGUAGE, (hidden,), count=norms * layers)


def _merger(inputs: int, outputs: int, wide: int) -> Iterator[Weight]:
    """The gated projection that both families end their vision half with."""
    yield Weight(_ADAPTER, (outputs, inputs), is_matrix=True)
    yield Weight(_ADAPTER, (outputs,), count=2)
    yield Weight(_ADAPTER, (wide, outputs), is_matrix=True, count=2)
    yield Weight(_ADAPTER, (outputs, wide), is_matrix=True)


def _glm_tower(vision: Vision, image_size: int) -> Iterator[Weight]:
    hidden, patch, layers = vision.hidden, vision.patch, vision.layers
    yield Weight(_VISION, ((image_size // patch) ** 2, hidden))
    yield Weight(_VISION, (hidden, vision.channels, vision.frames, patch, patch))
    yield Weight(_VISION, (hidden,), count=3 + 2 * layers)
    yield Weight(_VISION, (3 * hidden, hidden), is_matrix=True, count=layers)
    yield Weight(_VISION, (hidden, hidden), is_matrix=True, count=layers)
    yield Weight(_VISION, (vision.ffn, hidden), is_matrix=True, count=2 * layers)
    yield Weight(_VISION, (hidden, vision.ffn), is_matrix=True, count=layers)


def _eva_tower(vision: Vision) -> Iterator[Weight]:
    hidden, patch, layers = vision.hidden, vision.patch, vision.layers
    assert vision.size is not None
    yield Weight(_VISION, ((vision.size // patch) ** 2 + 1, hidden))
    yield Weight(_VISION, (hidden, vision.channels, patch, patch))
    yield Weight(_VISION, (1, hidden))
    yield Weight(_VISION, (hidden,))
    for rows, columns in (
        (3 * hidden, hidden),
        (hidden, hidden),
        (vision.ffn, hidden),
        (hidden, vision.ffn),
    ):
        yield Weight(_VISION, (rows, columns), is_matrix=True, count=layers)
        yield Weight(_VISION, (rows,), count=layers)
    yield Weight(_VISION, (hidden,), count=4 * layers)
