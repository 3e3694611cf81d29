"""What a plan must know of a checkpoint: its tensors and the sizes that activations grow with."""

from __future__ import annotations

from math import prod

import msgspec

from glm4v_tui.precision import Part


class Weight(msgspec.Struct, frozen=True):
    """One tensor, or several alike."""

    part: Part
    shape: tuple[int, ...]
    is_matrix: bool = False
    """The weight of a linear layer: what can be quantized."""
    count: int = 1
    stored: int = 0
    """Bytes of one of them in the file; 0 when no file was seen."""

    @property
    def parameters(self) -> int:
        return prod(self.shape) * self.count


class Language(msgspec.Struct, frozen=True):
    """The language model's sizes."""

    hidden: int
    layers: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    max_context: int | None = None
    gate_products: int = 4
    """Vectors of ``ffn`` that are alive at once between gate and down projection: 4 where gate
    and up come from one matrix (GLM), 3 where from two (Llama)."""


class Vision(msgspec.Struct, frozen=True):
    """The vision tower's sizes."""

    hidden: int
    layers: int
    ffn: int
    head_dim: int
    patch: int
    """Pixels a side."""
    merge: int
    """Patches a side that become one token."""
    channels: int = 3
    frames: int = 1
    """Pictures that a patch holds: 2 in towers that also take videos."""
    size: int | None = None
    """The side of the square that every image becomes; None where the image keeps its shape."""
    min_pixels: int = 112 * 112
    max_pixels: int = 28 * 28 * 15000
    """Bounds of an image's pixels times ``frames``, where the image keeps its shape."""
    extra_tokens: int = 0
    """Tokens of an image beside its patches."""
    rotary: bool = False
    """Queries and keys are turned in float32."""
    adapter_width: int = 0
    adapter_ffn: int = 0
    """Of the gated projection behind it; 0 where there is none, or it is small."""
    gated: bool = False
    """Its layers have a gate, so three products of ``ffn`` at once instead of two."""


class Shape(msgspec.Struct, frozen=True):
    """A checkpoint as far as memory and speed go."""

    name: str
    model_type: str
    weights: tuple[Weight, ...]
    language: Language
    vision: Vision | None
    """None when nothing is known of its tower."""
    is_tied: bool = False
    """The head is the embedding."""
    is_rough: bool = False
    """The activations are guessed by analogy: the family was not studied."""
    is_stored_quantized: bool = False
    """The files hold quantized weights, which are loaded as they are."""
    source: str = ""
    """Where this was read, in words."""

    @property
    def parameters(self) -> int:
        return sum(weight.parameters for weight in self.weights)

    def parameters_of(self, part: Part, *, matrices_only: bool = False) -> int:
        """Parameters of a part; of its matrices alone, which can be quantized."""
        return sum(
            weight.parameters
            for weight in self.weights
            if weight.part is part and (weight.is_matrix or not matrices_only)
        )

    def stored_of(self, part: Part) -> int:
        """Bytes of a part in the files; 0 when none were seen."""
        return sum(w.stored * w.count for w in self.weights if w.part is part)

    @property
    def file_bytes(self) -> int:
        """Bytes of all weight files: as seen, else what bfloat16 takes, which is how checkpoints
        are published."""
        seen = sum(weight.stored * weight.count for weight in self.weights)
        return seen or 2 * self.parameters

    @property
    def kv_per_token(self) -> int:
        """Bytes of keys and values of one token, in 16 bits."""
        text = self.language
        return text.layers * 2 * text.kv_heads * text.head_dim * 2
