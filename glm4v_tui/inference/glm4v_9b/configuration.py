"""The original ``config.json`` as it is, and what transformers' GLM is told by it.

The file is flat (``num_layers``, ``kv_channels``, ...) with a ``vision_config`` inside; GLM-4-9B's
has none, and makes a model without a vision tower. Saving writes the same flat keys again.
"""

from __future__ import annotations

from typing import Any, ClassVar

from transformers import GlmConfig, PreTrainedConfig

from glm4v_tui.inference.glm4v_9b import MODEL_TYPE

_ROPE_BASE = 10_000
"""``rope_ratio`` is a factor of it."""


class Eva2ClipConfig(PreTrainedConfig):  # type: ignore[misc]
    """The vision tower: EVA2-CLIP-E. Defaults are GLM-4V-9B's."""

    model_type = "glm4v_9b_vision"
    base_config_key = "vision_config"

    hidden_size: int = 1792
    num_hidden_layers: int = 63
    num_heads: int = 16
    intermediate_size: int = 15360
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-6
    in_channels: int = 3
    image_size: int = 1120
    patch_size: int = 14
    num_positions: int = 6401
    """The class token and one for each patch."""
    scaling_factor: float = 8
    """What the tower's output is divided by."""
    merge_size: ClassVar[int] = 2
    """Patches a side that become one token; a convolution, whose size no config tells."""

    @property
    def num_attention_heads(self) -> int:
        return self.num_heads


class Glm4v9bConfig(PreTrainedConfig):  # type: ignore[misc]
    """GLM-4V-9B, or GLM-4-9B when ``vision_config`` is None."""

    model_type = MODEL_TYPE
    sub_configs: ClassVar[dict[str, Any]] = {
        "text_config": GlmConfig,
        "vision_config": Eva2ClipConfig,
    }
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values", "cache"]

    num_layers: int = 40
    padded_vocab_size: int = 151552
    hidden_size: int = 4096
    ffn_hidden_size: int = 13696
    kv_channels: int = 128
    num_attention_heads: int = 32
    multi_query_attention: bool = False
    multi_query_group_num: int = 1
    seq_length: int = 2048
    layernorm_epsilon: float = 1e-5
    add_qkv_bias: bool = False
    rope_ratio: float = 1
    tie_word_embeddings: bool = False
    pad_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    boi_token_id: int | None = None
    eoi_token_id: int | None = None
    vision_config: dict[str, Any] | Eva2ClipConfig | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        kwargs.pop("text_config", None)
        if isinstance(self.vision_config, dict):
            self.vision_config = Eva2ClipConfig(**self.vision_config)
        self.text_config = self._text_config()
        super().__post_init__(**kwargs)

    @property
    def image_token_id(self) -> int | None:
        """Stands between the begin and the end of an image: ``<|endoftext|>``, also the padding."""
        return self.pad_token_id if self.vision_config is not None else None

    def _text_config(self) -> GlmConfig:
        groups = self.multi_query_group_num if self.multi_query_attention else None
        return GlmConfig(
            vocab_size=self.padded_vocab_size,
            hidden_size=self.hidden_size,
            intermediate_size=self.ffn_hidden_size,
            num_hidden_layers=self.num_layers,
            num_attention_heads=self.num_attention_heads,
            num_key_value_heads=groups or self.num_attention_heads,
            head_dim=self.kv_channels,
            max_position_embeddings=self.seq_length,
            rms_norm_eps=self.layernorm_epsilon,
            attention_bias=self.add_qkv_bias,
            tie_word_embeddings=self.tie_word_embeddings,
            pad_token_id=self.pad_token_id,
            eos_token_id=self.eos_token_id,
            rope_parameters={
                "rope_type": "default",
                "rope_theta": float(_ROPE_BASE * self.rope_ratio),
                "partial_rotary_factor": 0.5,
            },
        )

    def to_dict(self) -> dict[str, Any]:
        """The flat keys of the original; ``text_config`` follows from them."""
        values: dict[str, Any] = super().to_dict()
        values.pop("text_config", None)
        return values
