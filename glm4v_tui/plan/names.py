"""Which part of a model a tensor belongs to, told by its name in the file.

Families name the same parts differently; the words below cover those of transformers 5 and
GLM-4V-9B's original. A word counts as a whole between the dots of a name.
"""

from __future__ import annotations

from glm4v_tui.precision import Part

_ADAPTER = frozenset(
    {"merger", "linear_proj", "boi", "eoi", "multi_modal_projector", "mm_projector", "projector"}
    | {"connector", "aligner", "modality_projection", "downsample", "deepstack_merger_list"}
    | {"embed_vision", "mlp1", "resampler"}
)
_VISION = frozenset(
    {"visual", "vision", "vision_tower", "vision_model", "vision_encoder", "image_encoder"}
    | {"vpm", "vit", "vision_embed_tokens", "img_processor", "image_newline"}
)
_EMBEDDING = frozenset({"embed_tokens", "word_embeddings", "wte", "tok_embeddings"})
_HEAD = frozenset({"lm_head", "output_layer"})
_TABLES = _EMBEDDING | {
    *("position_embedding", "position_embeddings", "pos_embed", "embed_tokens_per_layer"),
    *("cls_embedding", "class_embedding"),
}
_NOT_LANGUAGE = frozenset({"audio", "audio_tower", "embed_audio"})


def part_of(name: str) -> Part:
    """The part of a model that a tensor of this name belongs to."""
    words = frozenset(name.split("."))
    in_vision = bool(words & _VISION)
    if words & _ADAPTER or (in_vision and "conv" in words):
        return Part.ADAPTER
    if in_vision or words & _NOT_LANGUAGE:
        return Part.VISION
    if words & _EMBEDDING:
        return Part.EMBEDDING
    return Part.HEAD if words & _HEAD else Part.LANGUAGE


def is_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """True for the weight of a linear layer: two-dimensional, and no table that is looked up."""
    return len(shape) == 2 and name.endswith(".weight") and not _TABLES & set(name.split("."))
