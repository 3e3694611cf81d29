"""Checkpoints of random weights in the true shapes: what is measured needs no trained ones."""

from __future__ import annotations

import json
import math
import re
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from glm4v_tui.bench.shape_words import WORDS, write_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import torch

Table = dict[str, tuple[int, ...]]
"""Tensor name -> shape, in a published checkpoint's order."""

GLM4V_9B_PARAMETERS = 13_906_320_896
"""Of the published GLM-4V-9B (zai-org/GLM-4, issue 500)."""
_SHARD_BYTES = 2 << 30
_WRITERS = 6
_DONE = "random-weights-and-words"

_ROPE = {"rope_type": "default", "rope_theta": 10000.0}


def shapes() -> tuple[str, ...]:
    return tuple(_CONFIGS)


def config_of(name: str) -> dict[str, Any]:
    """The ``config.json`` of a shape."""
    return _CONFIGS[name]()


def table_of(config: dict[str, Any]) -> Table:
    """All tensors of a checkpoint with this configuration."""
    if config["model_type"] == "chatglm":
        return dict(_chatglm(config))
    import torch
    from transformers import Glm4vConfig, Glm4vForConditionalGeneration

    with torch.device("meta"):
        model = Glm4vForConditionalGeneration(Glm4vConfig(**config))
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def parameters_of(table: Table) -> int:
    return sum(math.prod(shape) for shape in table.values())


def write_checkpoint(folder: Path, name: str, device: str) -> int:
    """Make a folder of random bfloat16 weights, unless it is there; the parameters in it.

    Matrices are normal with the deviation that keeps the size of what passes through, norms are
    ones, biases are small. What a layer adds to the stream is made small, see :func:`_share`. With
    a tokenizer of the true size, so that the folder can be talked to.
    """
    config = config_of(name)
    table = table_of(config)
    if (folder / _DONE).is_file():
        return parameters_of(table)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    shards = list(_shards(table))
    files = [f"model-{n:05d}-of-{len(shards):05d}.safetensors" for n in range(1, len(shards) + 1)]
    with ThreadPoolExecutor(_WRITERS) as pool:
        jobs = [
            pool.submit(_write_shard, folder / file, shard, config, device, seed)
            for seed, (file, shard) in enumerate(zip(files, shards, strict=True))
        ]
        for job in jobs:
            job.result()
    places = {tensor: file for file, shard in zip(files, shards, strict=True) for tensor in shard}
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    write_words(folder, config["model_type"])
    (folder / _DONE).touch()
    return parameters_of(table)


def _shards(table: Table) -> Iterator[Table]:
    shard: Table = {}
    size = 0
    for name, shape in table.items():
        nbytes = 2 * math.prod(shape)
        if shard and size + nbytes > _SHARD_BYTES:
            yield shard
            shard, size = {}, 0
        shard[name] = shape
        size += nbytes
    yield shard


def _write_shard(file: Path, shard: Table, config: dict[str, Any], device: str, seed: int) -> None:
    """By hand, tensor by tensor: a thread a shard writes faster than one library call for all."""
    import torch

    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shard.items():
        start, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [start, end]}
    words = json.dumps(header).encode()
    words += b" " * (-len(words) % 8)
    generator = torch.Generator(device).manual_seed(seed)
    with file.open("wb", buffering=0) as stream:
        stream.write(struct.pack("<Q", len(words)) + words)
        for name, shape in shard.items():
            stream.write(_bytes_of(_random(name, shape, _share(name, config), generator)))


_HEADS = ("lm_head.weight", "transformer.output_layer.weight")
_LAST_OF_A_LAYER = re.compile(
    r"vision\.transformer\.layers\.\d+\.(input|post_attention)_layernorm\.weight$"
    r"|encoder\.layers\.\d+\.(self_attention\.dense|mlp\.dense_4h_to_h)\.weight$"
    r"|(post_self_attn|post_mlp)_layernorm\.weight$"
    r"|blocks\.\d+\.(attn\.proj|mlp\.down_proj)\.weight$"
)
"""What attention and feed-forward part end with: a norm in the tower of GLM-4V-9B and in GLM-4.1V's
language model, else a matrix."""


def _share(name: str, config: dict[str, Any]) -> float:
    """What a tensor's values are multiplied by: with all ones, each of 63 layers doubles the error
    of the one before, and no two precisions have anything in common at the end. Trained layers add
    a little to the stream; here each of 2 n parts adds 1 / sqrt(2 n) of what it began with."""
    if not _LAST_OF_A_LAYER.search(name):
        return 1.0
    vision = config["vision_config"]
    if ".vision" in name or "visual." in name:
        layers = vision.get("num_hidden_layers") or vision["depth"]
    else:
        layers = config.get("num_layers") or config["text_config"]["num_hidden_layers"]
    return 1 / math.sqrt(2 * layers)


def _random(
    name: str, shape: tuple[int, ...], share: float, generator: torch.Generator
) -> torch.Tensor:
    import torch

    made = torch.empty(shape, dtype=torch.bfloat16, device=generator.device)
    if "norm" in name and name.endswith("weight"):
        return made.fill_(share)
    if len(shape) < 2:
        return made.normal_(0, 0.02, generator=generator)
    if name.endswith(("embed_tokens.weight", "word_embeddings.weight")):
        return made.normal_(generator=generator)
    deviation = 0.02 if "embed" in name else share / math.sqrt(math.prod(shape[1:]))
    made.normal_(0, deviation, generator=generator)
    if name in _HEADS:
        made[WORDS:] = 0  # special tokens are never likely: no answer ends before its length
    return made


def _bytes_of(tensor: torch.Tensor) -> Any:
    """A view of the bytes, which files take as they are."""
    import torch

    return tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy()


# The shapes -------------------------------------------------------------------------------------


def _glm41v() -> dict[str, Any]:
    """GLM-4.1V-9B's and GLM-4.6V-Flash's: what transformers takes by default."""
    from transformers import Glm4vConfig

    config: dict[str, Any] = Glm4vConfig().to_dict()
    config["text_config"]["rope_parameters"] = {
        **_ROPE, "mrope_section": [8, 12, 12], "partial_rotary_factor": 0.5,
    }  # fmt: skip
    return config


def _glm41v_tiny() -> dict[str, Any]:
    from transformers import Glm4vConfig

    text = {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2,
        "rope_parameters": {
            **_ROPE, "mrope_section": [2, 3, 3], "partial_rotary_factor": 1.0,
        },
    }  # fmt: skip
    vision = {
        "depth": 2, "hidden_size": 48, "num_heads": 4, "intermediate_size": 96,
        "out_hidden_size": 64,
    }  # fmt: skip
    config: dict[str, Any] = Glm4vConfig(text_config=text, vision_config=vision).to_dict()
    return config


def _glm4v_9b() -> dict[str, Any]:
    """GLM-4V-9B's of 2024."""
    vision = {
        "dropout_prob": 0.0, "hidden_act": "gelu", "in_channels": 3, "num_hidden_layers": 63,
        "hidden_size": 1792, "patch_size": 14, "num_heads": 16, "intermediate_size": 15360,
        "layer_norm_eps": 1e-06, "num_positions": 6401, "image_size": 1120, "scaling_factor": 8,
    }  # fmt: skip
    return {
        "model_type": "chatglm", "architectures": ["ChatGLMModel"],
        "add_bias_linear": False, "add_qkv_bias": True, "apply_query_key_layer_scaling": True,
        "apply_residual_connection_post_layernorm": False, "attention_dropout": 0.0,
        "attention_softmax_in_fp32": True, "ffn_hidden_size": 13696,
        "fp32_residual_connection": False, "hidden_dropout": 0.0, "hidden_size": 4096,
        "kv_channels": 128, "layernorm_epsilon": 1.5625e-07, "multi_query_attention": True,
        "multi_query_group_num": 2, "num_attention_heads": 32, "num_layers": 40,
        "original_rope": True, "padded_vocab_size": 151552, "post_layer_norm": True,
        "rmsnorm": True, "seq_length": 8192, "use_cache": True, "torch_dtype": "bfloat16",
        "tie_word_embeddings": False, "eos_token_id": [151329, 151336, 151338],
        "pad_token_id": 151329, "boi_token_id": 151339, "eoi_token_id": 151340,
        "vision_config": vision,
    }  # fmt: skip


def _glm4v_9b_tiny() -> dict[str, Any]:
    config = _glm4v_9b() | {
        "ffn_hidden_size": 128, "hidden_size": 64, "kv_channels": 16, "num_attention_heads": 4,
        "num_layers": 3,
    }  # fmt: skip
    config["vision_config"] |= {
        "num_hidden_layers": 3, "hidden_size": 48, "num_heads": 4, "intermediate_size": 96,
        "num_positions": 65, "image_size": 112,
    }  # fmt: skip
    return config


_CONFIGS = {
    "glm-4.1v": _glm41v,
    "glm-4v-9b": _glm4v_9b,
    "glm-4.1v-tiny": _glm41v_tiny,
    "glm-4v-9b-tiny": _glm4v_9b_tiny,
}


def _chatglm(config: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The published layout, names and fused matrices as they are there."""
    wide, inner, vocabulary = (
        config["hidden_size"], config["ffn_hidden_size"], config["padded_vocab_size"],
    )  # fmt: skip
    heads = config["num_attention_heads"] * config["kv_channels"]
    fused = heads + 2 * config["multi_query_group_num"] * config["kv_channels"]
    yield "transformer.embedding.word_embeddings.weight", (vocabulary, wide)
    for number in range(config["num_layers"]):
        layer = f"transformer.encoder.layers.{number}"
        yield f"{layer}.input_layernorm.weight", (wide,)
        yield f"{layer}.self_attention.query_key_value.weight", (fused, wide)
        yield f"{layer}.self_attention.query_key_value.bias", (fused,)
        yield f"{layer}.self_attention.dense.weight", (wide, heads)
        yield f"{layer}.post_attention_layernorm.weight", (wide,)
        yield f"{layer}.mlp.dense_h_to_4h.weight", (2 * inner, wide)
        yield f"{layer}.mlp.dense_4h_to_h.weight", (wide, inner)
    yield "transformer.encoder.final_layernorm.weight", (wide,)
    yield "transformer.output_layer.weight", (vocabulary, wide)
    yield from _eva(config["vision_config"], wide, inner)


def _eva(vision: dict[str, Any], wide: int, inner: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    own, middle, patch = (
        vision["hidden_size"], vision["intermediate_size"], vision["patch_size"],
    )  # fmt: skip
    top = "transformer.vision"
    yield f"{top}.patch_embedding.cls_embedding", (1, own)
    yield f"{top}.patch_embedding.proj.weight", (own, vision["in_channels"], patch, patch)
    yield f"{top}.patch_embedding.proj.bias", (own,)
    yield f"{top}.patch_embedding.position_embedding.weight", (vision["num_positions"], own)
    for number in range(vision["num_hidden_layers"]):
        layer = f"{top}.transformer.layers.{number}"
        for name, shape in (
            ("attention.query_key_value", (3 * own, own)), ("attention.dense", (own, own)),
            ("mlp.fc1", (middle, own)), ("mlp.fc2", (own, middle)),
            ("input_layernorm", (own,)), ("post_attention_layernorm", (own,)),
        ):  # fmt: skip
            yield f"{layer}.{name}.weight", shape
            yield f"{layer}.{name}.bias", shape[:1]
    yield f"{top}.conv.weight", (wide, own, 2, 2)
    yield f"{top}.conv.bias", (wide,)
    for name, shape in (
        ("linear_proj", (wide, wide)), ("gate_proj", (inner, wide)),
        ("dense_h_to_4h", (inner, wide)), ("dense_4h_to_h", (wide, inner)), ("norm1", (wide,)),
    ):  # fmt: skip
        yield f"{top}.linear_proj.{name}.weight", shape
    yield f"{top}.linear_proj.norm1.bias", (wide,)
    yield f"{top}.boi", (1, 1, wide)
    yield f"{top}.eoi", (1, 1, wide)
