"""Original tensor names to those of the modules here, applied while the weights are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers.core_model_loading import (
    Concatenate,
    ConversionOps,
    WeightConverter,
    WeightRenaming,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = {
    r"^transformer\.embedding\.word_embeddings": "model.language_model.embed_tokens",
    r"^transformer\.encoder\.final_layernorm": "model.language_model.norm",
    r"^transformer\.encoder\.layers": "model.language_model.layers",
    r"^transformer\.output_layer": "lm_head",
    r"^transformer\.vision\.patch_embedding": "model.vision_tower.patch_embedding",
    r"^transformer\.vision\.transformer\.layers": "model.vision_tower.layers",
    r"^transformer\.vision\.conv": "model.multi_modal_projector.conv",
    r"^transformer\.vision\.linear_proj": "model.multi_modal_projector.linear_proj",
    r"^transformer\.vision\.boi": "model.multi_modal_projector.boi",
    r"^transformer\.vision\.eoi": "model.multi_modal_projector.eoi",
    r"\.self_attention\.dense\.": ".self_attn.o_proj.",
    r"\.mlp\.dense_h_to_4h\.": ".mlp.gate_up_proj.",
    r"\.mlp\.dense_4h_to_h\.": ".mlp.down_proj.",
}
_FUSED = ".self_attention.query_key_value."
_SPLIT = [".self_attn.q_proj.", ".self_attn.k_proj.", ".self_attn.v_proj."]

IGNORED = [r"rotary_pos_emb\.inv_freq$"]
"""Saved, and not to be used: made with base 10000 whatever ``rope_ratio`` says, and rounded."""


def conversions() -> list[WeightRenaming | WeightConverter]:
    """What ``from_pretrained`` does to the tensors of an original folder, and saving undoes."""
    renamings = [WeightRenaming(old, new) for old, new in _NAMES.items()]
    return [*renamings, WeightConverter([_FUSED], list(_SPLIT), [SplitQueryKeyValue()])]


class SplitQueryKeyValue(ConversionOps):  # type: ignore[misc]
    """One tensor of all heads' queries, then all groups' keys, then all groups' values."""

    @torch.no_grad()
    def convert(
        self,
        input_dict: dict[str, Any],
        source_patterns: Sequence[str],  # noqa: ARG002 - part of the interface
        target_patterns: Sequence[str],
        config: Any,
        **_: Any,
    ) -> dict[str, torch.Tensor]:
        (fused,) = input_dict.values()
        fused = fused[0] if isinstance(fused, list) else fused
        text = config.get_text_config()
        groups = text.num_key_value_heads * text.head_dim
        parts = fused.split([text.num_attention_heads * text.head_dim, groups, groups])
        return {name: part.contiguous() for name, part in zip(target_patterns, parts, strict=True)}

    @property
    def reverse_op(self) -> ConversionOps:
        return Concatenate(0)
