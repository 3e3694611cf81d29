"""Checkpoints that can be planned for without a file or a network, by their published sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.plan.configs import GLM_FAMILY, Config, language_of, vision_of
from glm4v_tui.plan.layouts import glm_weights, original_weights
from glm4v_tui.plan.shape import Shape

if TYPE_CHECKING:
    from glm4v_tui.plan.shape import Language, Vision, Weight

_GLM_41V: Config = {
    "model_type": "glm4v",
    "text_config": {
        "hidden_size": 4096,
        "num_hidden_layers": 40,
        "intermediate_size": 13696,
        "num_attention_heads": 32,
        "num_key_value_heads": 2,
        "vocab_size": 151552,
        "max_position_embeddings": 65536,
    },
    "vision_config": {
        "depth": 24,
        "hidden_size": 1536,
        "num_heads": 12,
        "out_hidden_size": 4096,
        "intermediate_size": 13696,
        "image_size": 336,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    },
}
"""``Glm4vConfig()`` of transformers, which is GLM-4.1V-9B's."""

_GLM_46V_FLASH: Config = {
    **_GLM_41V,
    "text_config": {**_GLM_41V["text_config"], "max_position_embeddings": 131072},
}

_GLM_4V: Config = {
    "model_type": "chatglm",
    "hidden_size": 4096,
    "num_layers": 40,
    "ffn_hidden_size": 13696,
    "num_attention_heads": 32,
    "kv_channels": 128,
    "multi_query_attention": True,
    "multi_query_group_num": 2,
    "padded_vocab_size": 151552,
    "seq_length": 8192,
    "vision_config": {
        "hidden_size": 1792,
        "num_hidden_layers": 63,
        "num_heads": 16,
        "intermediate_size": 15360,
        "image_size": 1120,
        "patch_size": 14,
        "in_channels": 3,
    },
}
"""Its parameters add up to the 13,906,320,896 that users counted (zai-org/GLM-4, issue 500)."""

KNOWN: dict[str, Config] = {
    "zai-org/glm-4v-9b": _GLM_4V,
    "zai-org/GLM-4.1V-9B-Thinking": _GLM_41V,
    "zai-org/GLM-4.1V-9B-Base": _GLM_41V,
    "zai-org/GLM-4.6V-Flash": _GLM_46V_FLASH,
}
"""Hub id -> its sizes."""

_FORMER_OWNERS = ("thudm/", "zhipuai/")


def known_shape(hub_id: str) -> Shape | None:
    """The shape of a checkpoint that this program knows; None for others."""
    wanted = hub_id.lower()
    for owner in _FORMER_OWNERS:
        wanted = wanted.replace(owner, "zai-org/", 1)
    found = next((name for name in KNOWN if name.lower() == wanted), None)
    return None if found is None else built_shape(found, KNOWN[found])


def built_shape(name: str, config: Config) -> Shape:
    """The shape of a checkpoint of a known family, from its configuration alone."""
    text, vision = language_of(config), vision_of(config, {})
    kind = str(config["model_type"])
    weights = built_weights(config, text, vision)
    source = "its published sizes, which this program knows"
    return Shape(name, kind, weights, text, vision, source=source)


def built_weights(config: Config, text: Language, vision: Vision | None) -> tuple[Weight, ...]:
    """All tensors of a checkpoint of a known family."""
    if config["model_type"] in GLM_FAMILY:
        assert vision is not None
        return glm_weights(config, text, vision)
    return original_weights(text, vision)
