"""The embedded model in the two files that llama.cpp wants: one for language, one for images.

llama.cpp knows the family (``glm4``, and ``glm4v`` for the images), so this is a matter of names,
and of one order: in a query and a key it turns dimensions in pairs that lie half of the turned ones
apart, where this family's weights pair neighbours.

Text is cut into pieces by GPT-2's pattern, which llama.cpp knows, instead of the model's own. It
cuts less, and within a piece of the model's only where a word begins like the ending of another
('tis): as no merge of the model's crosses its own cuts, the tokens are the same but for such words.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import gguf
import numpy as np
from safetensors.torch import load_file

if TYPE_CHECKING:
    from pathlib import Path

MIN_TOKENS, MAX_TOKENS = 80, 120
"""Of an image, as the checkpoint's processor has them; the server is told, no file does."""

_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_self_attn_layernorm": "post_attention_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "post_mlp_layernorm": "post_ffw_norm",
}
_BLOCK = {
    "norm1": "ln1",
    "norm2": "ln2",
    "attn.qkv": "attn_qkv",
    "attn.proj": "attn_out",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_LANGUAGE = {"embed_tokens": "token_embd", "norm": "output_norm"}
_IMAGES = {
    "post_conv_layernorm": "v.norm_embd",
    "post_layernorm": "v.post_ln",
    "embeddings.position_embedding": "v.position_embd",
    "downsample": "mm.patch_merger",
    "merger.proj": "mm.model.fc",
    "merger.post_projection_norm": "mm.post_norm",
    "merger.gate_proj": "mm.gate",
    "merger.up_proj": "mm.up",
    "merger.down_proj": "mm.down",
}


def write_gguf(checkpoint: Path, folder: Path) -> tuple[Path, Path]:
    """Both files, in float32; the language model's and the one for images."""
    config = json.loads((checkpoint / "config.json").read_text())
    weights = _weights(checkpoint)
    language, images = folder / "model.gguf", folder / "mmproj.gguf"
    _write_language(language, checkpoint, config["text_config"], weights)
    _write_images(images, config["vision_config"], weights)
    return language, images


def _weights(checkpoint: Path) -> dict[str, np.ndarray]:
    """Name -> float32, over all files of the checkpoint."""
    found = {}
    for file in sorted(checkpoint.glob("*.safetensors")):
        found |= {name: one.float().numpy() for name, one in load_file(file).items()}
    return found


# The language model --------------------------------------------------------------------------


def _write_language(file: Path, checkpoint: Path, config: dict, weights: dict) -> None:
    writer = gguf.GGUFWriter(file, "glm4")
    heads, rope = config["num_attention_heads"], config["rope_parameters"]
    turned = round(config["hidden_size"] // heads * rope["partial_rotary_factor"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_rope_dimension_count(turned)
    writer.add_rope_dimension_sections([*rope["mrope_section"], 0])
    _add_tokenizer(writer, checkpoint)
    for name, values in weights.items():
        if (place := name.removeprefix("model.language_model.")) != name:
            _add(writer, _language_name(place), _turned(place, values, heads, turned))
    _close(writer)


def _add_tokenizer(writer: gguf.GGUFWriter, checkpoint: Path) -> None:
    told = json.loads((checkpoint / "tokenizer.json").read_text())
    special = {one["content"]: one["id"] for one in told["added_tokens"]}
    ids = told["model"]["vocab"] | special
    tokens = sorted(ids, key=ids.__getitem__)
    kinds = gguf.TokenType
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([kinds.CONTROL if one in special else kinds.NORMAL for one in tokens])
    writer.add_token_merges([" ".join(pair) for pair in told["model"]["merges"]])
    writer.add_eos_token_id(ids["<|endoftext|>"])
    writer.add_eot_token_id(ids["<|user|>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template((checkpoint / "chat_template.jinja").read_text())


def _language_name(place: str) -> str:
    stem, _, kind = place.rpartition(".")
    if not stem.startswith("layers."):
        return f"{_LANGUAGE[stem]}.{kind}"
    _, number, part = stem.split(".", 2)
    return f"blk.{number}.{_LAYER[part]}.{kind}"


def _turned(place: str, values: np.ndarray, heads: int, turned: int) -> np.ndarray:
    """A query's or a key's rows: of those that are turned, the even ones before the odd ones."""
    if "q_proj" not in place and "k_proj" not in place:
        return values
    by_head = values.reshape(heads, -1, *values.shape[1:])
    rows = [*range(0, turned, 2), *range(1, turned, 2), *range(turned, by_head.shape[1])]
    return by_head[:, rows].reshape(values.shape)


# Images ----------------------------------------------------------------------------------------


def _write_images(file: Path, config: dict, weights: dict) -> None:
    writer = gguf.GGUFWriter(file, "clip")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_vision_projector_type("glm4v")
    writer.add_vision_block_count(config["depth"])
    writer.add_vision_embedding_length(config["hidden_size"])
    writer.add_vision_feed_forward_length(config["intermediate_size"])
    writer.add_vision_head_count(config["num_heads"])
    writer.add_vision_image_size(config["image_size"])
    writer.add_vision_patch_size(config["patch_size"])
    writer.add_vision_projection_dim(config["out_hidden_size"])
    writer.add_vision_spatial_merge_size(config["spatial_merge_size"])
    writer.add_vision_attention_layernorm_eps(config["rms_norm_eps"])
    writer.add_vision_image_mean([0.5] * 3)
    writer.add_vision_image_std([0.5] * 3)
    writer.add_vision_use_silu(True)
    for name, values in weights.items():
        if (place := name.removeprefix("model.visual.")) == name:
            continue
        if place == "patch_embed.proj.weight":  # a still image is two equal frames
            _add(writer, "v.patch_embd.weight", values[:, :, 0])
            _add(writer, "v.patch_embd.weight.1", values[:, :, 1])
        else:
            _add(writer, _image_name(place), values)
    _close(writer)


def _image_name(place: str) -> str:
    stem, _, kind = place.rpartition(".")
    if stem == "patch_embed.proj":
        return f"v.patch_embd.{kind}"
    if not stem.startswith("blocks."):
        return f"{_IMAGES[stem]}.{kind}"
    _, number, part = stem.split(".", 2)
    return f"v.blk.{number}.{_BLOCK[part]}.{kind}"


def _add(writer: gguf.GGUFWriter, name: str, values: np.ndarray) -> None:
    writer.add_tensor(name, np.ascontiguousarray(values))


def _close(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
