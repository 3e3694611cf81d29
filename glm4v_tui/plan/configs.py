"""From a ``config.json`` to the sizes that memory grows with."""

from __future__ import annotations

from typing import Any

from glm4v_tui.checkpoint import context_length
from glm4v_tui.errors import CheckpointError
from glm4v_tui.plan.shape import Language, Vision

Config = dict[str, Any]

GLM_FAMILY = frozenset({"glm4v", "glm46v", "glm_ocr"})
"""Built as ``modeling_glm4v`` of transformers is."""
ORIGINAL = "chatglm"
"""GLM-4V-9B and GLM-4-9B as they were published in 2024."""


def language_of(config: Config) -> Language:
    """The language model's sizes.

    Raises:
        CheckpointError: the configuration names none that are known.
    """
    if config.get("model_type") == ORIGINAL:
        return _original_language(config)
    text = config.get("text_config") or config.get("language_config") or config
    try:
        heads = int(text["num_attention_heads"])
        hidden = int(text["hidden_size"])
        return Language(
            hidden=hidden,
            layers=int(text["num_hidden_layers"]),
            ffn=int(text["intermediate_size"]),
            heads=heads,
            kv_heads=int(text.get("num_key_value_heads") or heads),
            head_dim=int(text.get("head_dim") or hidden // heads),
            vocabulary=int(text["vocab_size"]),
            max_context=context_length(config),
            gate_products=4 if config.get("model_type") in GLM_FAMILY else 3,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unknown(error) from error


def _original_language(config: Config) -> Language:
    try:
        heads = int(config["num_attention_heads"])
        shares = config.get("multi_query_attention", False)
        return Language(
            hidden=int(config["hidden_size"]),
            layers=int(config["num_layers"]),
            ffn=int(config["ffn_hidden_size"]),
            heads=heads,
            kv_heads=int(config["multi_query_group_num"]) if shares else heads,
            head_dim=int(config["kv_channels"]),
            vocabulary=int(config["padded_vocab_size"]),
            max_context=context_length(config),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unknown(error) from error


def vision_of(config: Config, processor: Config) -> Vision | None:
    """The vision tower's sizes; None when the configuration names none that are known.

    Args:
        config: ``config.json``.
        processor: ``preprocessor_config.json``; empty when there is none.
    """
    vision = config.get("vision_config")
    if not isinstance(vision, dict):
        return None
    try:
        if config.get("model_type") == ORIGINAL:
            return _original_vision(config, vision)
        if config.get("model_type") in GLM_FAMILY:
            return _glm_vision(str(config["model_type"]), vision, processor)
        return _other_vision(vision, processor)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _original_vision(config: Config, vision: Config) -> Vision:
    hidden, size = int(vision["hidden_size"]), int(vision["image_size"])
    return Vision(
        hidden=hidden,
        layers=int(vision["num_hidden_layers"]),
        ffn=int(vision["intermediate_size"]),
        head_dim=hidden // int(vision["num_heads"]),
        patch=int(vision["patch_size"]),
        merge=2,
        channels=int(vision.get("in_channels", 3)),
        size=size,
        extra_tokens=2,
        adapter_width=int(config["hidden_size"]),
        adapter_ffn=int(config["ffn_hidden_size"]),
    )


def _glm_vision(kind: str, vision: Config, processor: Config) -> Vision:
    hidden = int(vision.get("hidden_size", 1536))
    # In glm4v the tower's layers are as wide as its output; the key is of the merger.
    ffn = "intermediate_size" if kind == "glm_ocr" else "out_hidden_size"
    least, most = _pixel_bounds(processor)
    return Vision(
        hidden=hidden,
        layers=int(vision.get("depth", 24)),
        ffn=int(vision.get(ffn, 4096)),
        head_dim=hidden // int(vision.get("num_heads", 12)),
        patch=int(vision.get("patch_size", 14)),
        merge=int(vision.get("spatial_merge_size", 2)),
        channels=int(vision.get("in_channels", 3)),
        frames=int(vision.get("temporal_patch_size", 2)),
        min_pixels=least,
        max_pixels=most,
        rotary=True,
        adapter_width=int(vision.get("out_hidden_size", 4096)),
        adapter_ffn=_merger_ffn(kind, vision),
        gated=True,
    )


def _merger_ffn(kind: str, vision: Config) -> int:
    """In glm4v the key ``intermediate_size`` is the merger's; in GLM-OCR it is the layers'."""
    if kind == "glm_ocr":
        return 3 * int(vision.get("out_hidden_size", 1536))
    return int(vision.get("intermediate_size", 13696))


def _other_vision(vision: Config, processor: Config) -> Vision:
    """By the names that most families use. Of Qwen's kind when it merges patches in space."""
    hidden = int(vision.get("embed_dim") or vision["hidden_size"])
    heads = int(vision.get("num_heads") or vision["num_attention_heads"])
    merges = "spatial_merge_size" in vision
    least, most = _pixel_bounds(processor)
    return Vision(
        hidden=hidden,
        layers=int(vision.get("depth") or vision["num_hidden_layers"]),
        ffn=int(vision.get("intermediate_size") or hidden * vision.get("mlp_ratio", 4)),
        head_dim=hidden // heads,
        patch=int(vision.get("patch_size") or vision["spatial_patch_size"]),
        merge=int(vision.get("spatial_merge_size", 1)),
        channels=int(vision.get("in_channels") or vision.get("num_channels") or 3),
        frames=int(vision.get("temporal_patch_size", 1)),
        size=None if merges else int(vision["image_size"]),
        min_pixels=least,
        max_pixels=most,
        rotary=merges,
        gated=merges,
    )


def _pixel_bounds(processor: Config) -> tuple[int, int]:
    size = processor.get("size")
    size = size if isinstance(size, dict) else {}
    least = size.get("shortest_edge") or processor.get("min_pixels") or 112 * 112
    most = size.get("longest_edge") or processor.get("max_pixels") or 28 * 28 * 15000
    return int(least), int(most)


def _unknown(error: Exception) -> CheckpointError:
    return CheckpointError(
        "This model cannot be planned for",
        f"Its config.json lacks what memory depends on ({error}).",
        "Is it a vision-language checkpoint? Load it with a --precision of your own choice.",
    )
