"""Makes tiny checkpoints that are real in every file: config, safetensors, tokenizer, processor.

Their weights are random, so their answers mean nothing; everything else about them is as
published checkpoints are. One takes about a second to make on a CPU. Tests share one per session
through the ``tiny_glm4v`` fixture, or call a maker themselves when they damage the files.

A special token never wins greedily here (its row of the output layer is zero), so a greedy answer
runs to ``max_new_tokens`` unless the checkpoint is told which ordinary token ends it
(:func:`set_generation`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GLM4V_9B = Path(__file__).parent / "inference" / "glm4v_9b" / "reference" / "A"
"""A GLM-4V-9B in miniature with the numbers that belong to it."""

GLM_TOKENS = (
    "<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>",
    "<|assistant|>", "<|observation|>", "<|begin_of_image|>", "<|end_of_image|>",
    "<|begin_of_video|>", "<|end_of_video|>", "<|image|>", "<|video|>",
)  # fmt: skip
GLM_MARKS = ("<think>", "</think>", "<answer>", "</answer>")

GLM_TEMPLATE = """\
[gMASK]<sop>
{%- for message in messages %}
    {%- if message.role == 'user' %}
<|user|>{{ '\\n' }}
        {%- if message.content is string %}
{{- message.content }}
        {%- else %}
            {%- for item in message.content %}
                {%- if item.type == 'image' %}
{{- '<|begin_of_image|><|image|><|end_of_image|>' }}
                {%- elif item.type == 'text' %}
{{- item.text }}
                {%- endif %}
            {%- endfor %}
        {%- endif %}
    {%- else %}
<|{{ message.role }}|>
{{ message.content }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>
{% endif %}"""
"""Like GLM-4.1V's: a user's content may be a list, anybody else's is written as it comes."""

LIST_TEMPLATE = """\
{%- for message in messages %}<|{{ message.role }}|>
{%- for item in message.content %}
{%- if item['type'] == 'image' %}{{ '<image>' }}{% else %}{{ item['text'] }}{% endif %}
{%- endfor %}<|endoftext|>
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif %}"""
"""Like Idefics3's and LLaVA's: every content must be a list."""

NO_SYSTEM_TEMPLATE = """\
{%- for message in messages %}
{%- if message.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{{- '<|' + message.role + '|>' }}
{%- for item in message.content %}
{%- if item['type'] == 'image' %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}
{%- else %}{{ item['text'] }}{% endif %}
{%- endfor %}{{ '<|endoftext|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|assistant|><think>\\n' }}{% endif %}"""
"""Refuses a system message and opens the thinking itself, as Qwen3-VL-Thinking does."""

_SENTENCES = (
    "What is in this picture? A red square stands to the left of a blue circle.",
    "Describe the image in detail, please. How many animals do you see on the grass?",
    "The receipt shows a total of 12.40 euros, paid on the 3rd of May by card.",
    "Я вижу на снимке дом и два дерева. 这张图片里有一只猫。画像には犬がいます。",
    "Ein Grüner Apfel — naïve café, façade, ½ litre, 25 °C 😀🎉👩‍🔬",
)


def make_glm4v(folder: Path, *, seed: int = 0, shards: int = 1) -> Path:
    """A GLM-4.1V in miniature (model type ``glm4v``).

    Args:
        folder: Where to put it; made when missing.
        seed: Of the random weights.
        shards: Number of safetensors files; more than one comes with an index.
    """
    from transformers import Glm4vConfig, Glm4vImageProcessor, Glm4vProcessor, Glm4vVideoProcessor

    tokenizer = _tokenizer(GLM_TOKENS, GLM_MARKS, GLM_TEMPLATE)
    config = Glm4vConfig(**_glm_config(tokenizer))
    processor = Glm4vProcessor(
        _glm_images(Glm4vImageProcessor), tokenizer, Glm4vVideoProcessor(), GLM_TEMPLATE
    )
    return _write(folder, config, processor, seed, shards, _GLM_ENDS)


def make_glm46v(folder: Path, *, seed: int = 0, shards: int = 1) -> Path:
    """A GLM-4.6V-Flash in miniature (model type ``glm46v``)."""
    from transformers import (
        Glm46VConfig,
        Glm46VImageProcessor,
        Glm46VProcessor,
        Glm46VVideoProcessor,
    )

    tokenizer = _tokenizer(GLM_TOKENS, GLM_MARKS, GLM_TEMPLATE)
    parts = _glm_config(tokenizer)
    parts["text_config"]["model_type"] = "glm4v_text"
    parts["vision_config"]["model_type"] = "glm4v_vision"
    processor = Glm46VProcessor(
        _glm_images(Glm46VImageProcessor), tokenizer, Glm46VVideoProcessor(), GLM_TEMPLATE
    )
    return _write(folder, Glm46VConfig(**parts), processor, seed, shards, _GLM_ENDS)


def make_glm_ocr(folder: Path, *, seed: int = 0, shards: int = 1) -> Path:
    """A GLM-OCR in miniature (model type ``glm_ocr``)."""
    from transformers import (
        Glm46VImageProcessor,
        Glm46VProcessor,
        Glm46VVideoProcessor,
        GlmOcrConfig,
    )

    tokenizer = _tokenizer(GLM_TOKENS, GLM_MARKS, GLM_TEMPLATE)
    parts = _glm_config(tokenizer)
    parts["text_config"]["rope_parameters"]["mrope_section"] = [2, 3, 3]
    parts["text_config"]["rope_parameters"]["partial_rotary_factor"] = 1.0
    processor = Glm46VProcessor(
        _glm_images(Glm46VImageProcessor), tokenizer, Glm46VVideoProcessor(), GLM_TEMPLATE
    )
    return _write(folder, GlmOcrConfig(**parts), processor, seed, shards, _GLM_ENDS)


def make_qwen2_5_vl(folder: Path, *, seed: int = 0, shards: int = 1) -> Path:
    """A Qwen2.5-VL in miniature, with a template that refuses system messages."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    names = ("<|endoftext|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
             "<|video_pad|>", "<|user|>", "<|assistant|>")  # fmt: skip
    tokenizer = _tokenizer(names, ("<think>", "</think>"), NO_SYSTEM_TEMPLATE)
    ids = dict(zip(names, tokenizer.convert_tokens_to_ids(list(names)), strict=True))
    config = Qwen2_5_VLConfig(
        text_config=_text_config(tokenizer)
        | {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0,
                               "mrope_section": [2, 3, 3]}},
        vision_config={"depth": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64,
                       "out_hidden_size": 64, "patch_size": 14, "fullatt_block_indexes": [1],
                       "window_size": 56},
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    images = Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=28 * 28 * 64)
    processor = Qwen2_5_VLProcessor(
        images, tokenizer, Qwen2VLVideoProcessor(), chat_template=NO_SYSTEM_TEMPLATE
    )
    return _write(folder, config, processor, seed, shards, ("<|endoftext|>", "<|im_end|>"))


def make_llava(folder: Path, *, seed: int = 0, shards: int = 1) -> Path:
    """A LLaVA in miniature: CLIP and Llama, square images, a template that wants lists."""
    from transformers import CLIPImageProcessor, LlavaConfig, LlavaProcessor

    names = ("<|endoftext|>", "<image>", "<|user|>", "<|assistant|>", "<|system|>")
    tokenizer = _tokenizer(names, (), LIST_TEMPLATE)
    config = LlavaConfig(
        text_config=_text_config(tokenizer) | {"model_type": "llama"},
        vision_config={"model_type": "clip_vision_model", "hidden_size": 32, "patch_size": 14,
                       "image_size": 56, "num_hidden_layers": 2, "num_attention_heads": 2,
                       "intermediate_size": 64},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        image_seq_length=16,
    )  # fmt: skip
    images = CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    processor = LlavaProcessor(
        images, tokenizer, patch_size=14, vision_feature_select_strategy="default",
        chat_template=LIST_TEMPLATE, num_additional_image_tokens=1,
    )  # fmt: skip
    return _write(folder, config, processor, seed, shards, ("<|endoftext|>",))


def make_glm4v_9b(folder: Path, *, shards: int = 1) -> Path:
    """A GLM-4V-9B in its original layout (model type ``chatglm``): the reference's, livened."""
    from huggingface_hub import save_torch_state_dict
    from safetensors.torch import load_file

    shutil.copytree(GLM4V_9B / "checkpoint", folder)
    file = folder / "model-00001-of-00001.safetensors"
    tensors = load_file(file)
    tensors["transformer.output_layer.weight"][643:] = 0.0
    for old in (file, *folder.glob("*.index.json")):
        old.unlink()
    largest = sum(tensor.nbytes for tensor in tensors.values()) // shards + 1
    save_torch_state_dict(tensors, folder, max_shard_size=largest)
    change_config(folder, seq_length=2048)
    return folder


MAKERS: dict[str, Callable[..., Path]] = {
    "glm4v": make_glm4v,
    "glm46v": make_glm46v,
    "glm_ocr": make_glm_ocr,
    "qwen2_5_vl": make_qwen2_5_vl,
    "llava": make_llava,
    "glm4v_9b": make_glm4v_9b,
}


@pytest.fixture(scope="session")
def tiny_glm4v(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a ``glm4v`` checkpoint. Shared: read it, do not change it."""
    return make_glm4v(tmp_path_factory.mktemp("checkpoint") / "tiny-glm4v")


def change_config(folder: Path, **values: Any) -> None:
    """Change values of a checkpoint's ``config.json``; None takes one out."""
    file = folder / "config.json"
    config = json.loads(file.read_text()) | values
    file.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def set_generation(folder: Path, **values: Any) -> None:
    """Change values of a checkpoint's ``generation_config.json``."""
    file = folder / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


_GLM_ENDS = ("<|endoftext|>", "<|user|>", "<|observation|>", "</answer>")


def _tokenizer(special: tuple[str, ...], marks: tuple[str, ...], template: str) -> Any:
    """Byte-level BPE; ``marks`` are tokens of their own that are not special, as GLM's <think>."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=480, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    core.train_from_iterator(_SENTENCES, trainer)
    core.add_special_tokens([AddedToken(name, special=True) for name in special])
    core.add_tokens([AddedToken(name, special=False, normalized=False) for name in marks])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        padding_side="left",
        chat_template=template,
    )


def _text_config(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }


def _glm_config(tokenizer: Any) -> dict[str, Any]:
    rope = {
        "rope_type": "default", "rope_theta": 10000.0,
        "partial_rotary_factor": 0.5, "mrope_section": [1, 1, 2],
    }  # fmt: skip
    number = tokenizer.convert_tokens_to_ids
    return {
        "text_config": _text_config(tokenizer) | {"rope_parameters": rope, "head_dim": 16},
        "vision_config": {
            "depth": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64,
            "out_hidden_size": 64, "image_size": 112, "patch_size": 14,
        },
        "image_token_id": number("<|image|>"),
        "video_token_id": number("<|video|>"),
        "image_start_token_id": number("<|begin_of_image|>"),
        "image_end_token_id": number("<|end_of_image|>"),
        "video_start_token_id": number("<|begin_of_video|>"),
        "video_end_token_id": number("<|end_of_video|>"),
    }  # fmt: skip


def _glm_images(kind: Any) -> Any:
    return kind(size={"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 2 * 256})


def _write(
    folder: Path, config: Any, processor: Any, seed: int, shards: int, ends: tuple[str, ...]
) -> Path:
    import torch
    from transformers import AutoModelForImageTextToText, GenerationConfig

    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    tokenizer = processor.tokenizer
    _liven(model, tokenizer.all_special_ids + list(tokenizer.added_tokens_decoder))
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.convert_tokens_to_ids(list(ends)),
        pad_token_id=tokenizer.pad_token_id,
        do_sample=True,
        temperature=0.8,
        top_p=0.6,
        top_k=2,
    )
    size = sum(parameter.nbytes for parameter in model.parameters())
    model.save_pretrained(folder, max_shard_size=-(-size // shards) + 70_000 * (shards > 1))
    processor.save_pretrained(folder)
    return folder


def _liven(model: Any, silent: list[int]) -> None:
    """Make answers vary from token to token, and never choose one of the ``silent`` tokens."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and "norm" not in name:
                parameter.mul_(8.0)
        model.get_output_embeddings().weight[silent] = 0.0
