"""An original folder is loaded as it lies there: names, config, code that is not run, saving."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    GlmModel,
    StaticCache,
)

from glm4v_tui.checkpoint import inspect_checkpoint
from glm4v_tui.errors import ImageError
from tests.checkpoints import change_config
from tests.inference.glm4v_9b.conftest import Reference, user

PARAMETERS = 13_906_320_896
"""Of the published checkpoint, vision tower included."""
TRUE_SHAPE = {
    "num_layers": 40, "hidden_size": 4096, "ffn_hidden_size": 13696, "kv_channels": 128,
    "num_attention_heads": 32, "padded_vocab_size": 151552, "seq_length": 8192,
    "vision_config": {
        "hidden_size": 1792, "num_hidden_layers": 63, "num_heads": 16, "intermediate_size": 15360,
        "image_size": 1120, "patch_size": 14, "num_positions": 6401, "scaling_factor": 8,
    },
}  # fmt: skip


def load(folder: Path, **kwargs: Any) -> Any:
    return AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, **kwargs)


def test_the_true_shape_has_every_parameter(folder: Path) -> None:
    change_config(folder, **TRUE_SHAPE)
    config = AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS


def test_nothing_is_missing_nor_left_over(reference: Reference) -> None:
    _, notes = load(reference.checkpoint, output_loading_info=True)
    assert not any(notes.values()), notes


def test_code_of_the_folder_is_not_run(folder: Path) -> None:
    names = ("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoProcessor", "AutoTokenizer")
    change_config(folder, auto_map={name: f"trap.{name}" for name in names})
    (folder / "trap.py").write_text("raise SystemExit('was run')")
    file = folder / "tokenizer_config.json"
    told = json.loads(file.read_text()) | {"auto_map": {"AutoTokenizer": ["trap.A", None]}}
    file.write_text(json.dumps(told))
    kwargs = {"local_files_only": True, "trust_remote_code": False}
    assert load(folder, **kwargs).model.vision_tower is not None
    assert AutoProcessor.from_pretrained(folder, **kwargs).tokenizer.encode("a") == [64]


@pytest.mark.parametrize(("ratio", "base"), [(None, 1e4), (1, 1e4), (500, 5e6), (0.5, 5e3)])
def test_rope_ratio_is_the_configs(folder: Path, ratio: float | None, base: float) -> None:
    """And the stored table of frequencies, which has another base, is not used."""
    change_config(folder, rope_ratio=ratio)
    frequencies = load(folder).model.language_model.rotary_emb.inv_freq
    torch.testing.assert_close(frequencies, base ** -(torch.arange(0, 8, 2) / 8))


def test_ids_sizes_and_scaling_are_the_configs(folder: Path, one: Reference) -> None:
    vision = json.loads((folder / "config.json").read_text())["vision_config"]
    change_config(folder, vision_config=vision | {"scaling_factor": 4})
    inputs = one.written([user("What?", one.pictures["small"])])
    features = load(folder).get_image_features(inputs["pixel_values"]).pooler_output[0]
    half = one.model.get_image_features(inputs["pixel_values"]).pooler_output[0]
    torch.testing.assert_close(features, 2 * half)
    change_config(folder, eos_token_id=[650], boi_token_id=655)
    model = load(folder)
    assert model.generation_config.eos_token_id == [650]
    assert model.model.image_ids.begin == 655


def test_saving_gives_the_original_names_again(tmp_path: Path, one: Reference) -> None:
    one.model.save_pretrained(tmp_path)
    one.processor.save_pretrained(tmp_path)
    stored = load_file(one.checkpoint / "model-00001-of-00001.safetensors")
    del stored["transformer.rotary_pos_emb.inv_freq"]
    saved = load_file(tmp_path / "model.safetensors")
    assert saved.keys() == stored.keys()
    assert all(torch.equal(saved[name], stored[name]) for name in stored)
    assert inspect_checkpoint(tmp_path).is_loadable
    inputs = AutoProcessor.from_pretrained(tmp_path).apply_chat_template(
        one.turns("image_user"), add_generation_prompt=True, return_tensors="pt"
    )
    assert torch.equal(load(tmp_path)(**inputs).logits, one.model(**inputs).logits)


def make_text_model(folder: Path) -> Path:
    """As GLM-4-9B lies on the hub: no vision tower, no ids of images."""
    file = folder / "model-00001-of-00001.safetensors"
    tensors = {name: t for name, t in load_file(file).items() if ".vision." not in name}
    file.unlink()
    (folder / "model.safetensors.index.json").unlink()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    change_config(folder, vision_config=None, boi_token_id=None, eoi_token_id=None)
    return folder


@pytest.mark.parametrize("auto", [AutoModelForImageTextToText, AutoModelForCausalLM])
def test_a_text_model_answers_as_the_language_half(folder: Path, one: Reference, auto: Any) -> None:
    make_text_model(folder)
    assert inspect_checkpoint(folder).is_loadable
    model, notes = auto.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    processor = AutoProcessor.from_pretrained(folder)
    assert not any(notes.values())
    assert model.model.vision_tower is None
    inputs = processor.apply_chat_template(
        one.turns("text_only"), add_generation_prompt=True, return_tensors="pt"
    )
    assert one.difference("logits.text_only", model(**inputs).logits) < 1e-4
    with pytest.raises(ImageError, match="no images"):
        processor.apply_chat_template([user("?", one.pictures["small"])], return_tensors="pt")


def test_the_decode_step_is_one_graph(one: Reference) -> None:
    """Nothing in it depends on values, so it can be compiled whole and captured."""
    key = (
        "cache" if "cache" in inspect.signature(GlmModel.forward).parameters else "past_key_values"
    )
    inputs = one.inputs("image_user")
    positions = one.model._prepare_position_ids_for_generation(inputs["input_ids"], inputs)

    def step(forward: Any) -> torch.Tensor:
        held = StaticCache(config=one.model.config.get_text_config(), max_cache_len=64)
        one.model(**inputs, position_ids=positions, use_cache=True, **{key: held})
        length = inputs["input_ids"].shape[1]
        logits: torch.Tensor = forward(
            input_ids=torch.tensor([[324]]),
            attention_mask=torch.ones(1, length + 1, dtype=torch.long),
            position_ids=positions[:, -1:] + 1,
            use_cache=True,
            **{key: held},
        ).logits
        return logits

    whole = torch.compile(one.model.forward, fullgraph=True, backend="eager")
    torch.testing.assert_close(step(whole), step(one.model), atol=1e-4, rtol=0)


def test_parts_that_lie_on_disk_answer_the_same(one: Reference, tmp_path: Path) -> None:
    """Each module is called for its weights, which come only then, wherever a split falls."""
    inputs = one.inputs("image_user")
    limit = {"max_memory": {"cpu": "900KB"}, "device_map": "auto"}
    model = load(one.checkpoint, **limit, offload_folder=tmp_path)
    assert set(model.hf_device_map.values()) == {"cpu", "disk"}
    assert torch.equal(model(**inputs).logits, one.model(**inputs).logits)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_near(one: Reference, dtype: torch.dtype) -> None:
    """The reference's own bfloat16 run is off by 0.5 in the logits, which reach 8."""
    inputs = one.inputs("image_user")
    model = AutoModelForImageTextToText.from_pretrained(one.checkpoint, dtype=dtype)
    logits, expected = model(**inputs).logits, one.model(**inputs).logits
    assert logits.dtype is dtype
    assert float((logits.float() - expected).abs().max()) < 1
    assert (logits.argmax(-1) == expected.argmax(-1)).float().mean() > 0.9


def test_the_attention_of_all_parts_can_be_chosen(one: Reference) -> None:
    model = load(one.checkpoint, attn_implementation="eager")
    assert model.model.vision_tower.config._attn_implementation == "eager"
    assert one.difference("logits.image_user", model(**one.inputs("image_user")).logits) < 3e-4


def test_no_gradient_is_kept(one: Reference) -> None:
    with torch.enable_grad():
        assert not one.model(**one.inputs("image_user")).logits.requires_grad


@pytest.mark.parametrize(
    "sizes",
    [
        {"multi_query_group_num": 4},
        {"multi_query_group_num": 1, "num_attention_heads": 6},
        {"multi_query_attention": False},
        {"kv_channels": 24},
        {"add_qkv_bias": False},
    ],
)
def test_other_dimensions_split_where_they_must(folder: Path, sizes: dict[str, Any]) -> None:
    change_config(folder, **sizes)
    config = AutoConfig.from_pretrained(folder)
    text = config.get_text_config()
    queries = text.num_attention_heads * text.head_dim
    keys = text.num_key_value_heads * text.head_dim
    file = folder / "model-00001-of-00001.safetensors"
    tensors = load_file(file)
    rows = torch.arange(queries + 2 * keys, dtype=torch.float32)
    for layer in range(3):
        name = f"transformer.encoder.layers.{layer}.self_attention"
        tensors[f"{name}.query_key_value.weight"] = rows[:, None].repeat(1, 64)
        tensors[f"{name}.query_key_value.bias"] = rows.clone()
        tensors[f"{name}.dense.weight"] = torch.zeros(64, queries)
        if not text.attention_bias:
            del tensors[f"{name}.query_key_value.bias"]
    save_file(tensors, file, metadata={"format": "pt"})
    model, notes = load(folder, output_loading_info=True)
    assert not any(notes.values()), notes
    attention = model.model.language_model.layers[1].self_attn
    for part, first in (("q", 0), ("k", queries), ("v", queries + keys)):
        linear = getattr(attention, f"{part}_proj")
        expected = rows[first : first + linear.weight.shape[0]]
        assert torch.equal(linear.weight[:, 0], expected)
        assert linear.bias is None or torch.equal(linear.bias, expected)
    assert linear.weight.shape[0] == keys
