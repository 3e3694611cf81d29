"""The published model's numbers, within the tolerances that came with them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch

from glm4v_tui.inference.glm4v_9b.chat import chat_ids, chat_pieces
from tests.inference.glm4v_9b.conftest import Reference

PIXELS, FEATURES, LAYERS, HIDDEN, TEXT_LOGITS, IMAGE_LOGITS = 2e-6, 5e-5, 1e-4, 2e-4, 1e-4, 3e-4
CASES = (
    "image_user", "text_only", "chinese", "two_turns_image_first", "chinese_image",
    "image_second_turn",
)  # fmt: skip
GREEDY = ("image_user", "two_turns_image_first", "text_only", "chinese_image")
CACHES: dict[str, dict[str, Any]] = {
    "dynamic": {},
    "static": {"cache_implementation": "static"},
    "none": {"use_cache": False},
}


def test_conversations_have_the_reference_ids(reference: Reference) -> None:
    for name, case in reference.manifest["cases"].items():
        pieces = chat_pieces(
            reference.turns(name), add_generation_prompt=case["add_generation_prompt"]
        )
        assert chat_ids(pieces, reference.processor.tokenizer) == case["input_ids"], name


def test_text_is_encoded_and_decoded_as_by_the_reference(reference: Reference) -> None:
    tokenizer = reference.processor.tokenizer
    for sample in reference.manifest["encode"]:
        assert tokenizer.encode(sample["text"]) == sample["ids"], sample
    for sample in reference.manifest["decode"]:
        text = tokenizer.decode(sample["ids"], skip_special_tokens=True)
        assert text == sample["text_skip_special"], sample


@pytest.mark.parametrize("size", ["small", "large"])
def test_pictures_become_the_reference_pixels(reference: Reference, size: str) -> None:
    processor = reference.processor.image_processor
    resized = torch.from_numpy(np.array(processor.resized(reference.pictures[size])))
    assert reference.difference(f"resized_uint8.{size}", resized) == 0
    pixels = processor([reference.pictures[size]])["pixel_values"]
    assert reference.difference(f"pixel_values.{size}", pixels) <= PIXELS
    features = reference.model.get_image_features(pixels).pooler_output[0]
    assert reference.difference(f"vision.features.{size}", features[None]) <= FEATURES


def test_every_layer_gives_the_reference_numbers(reference: Reference) -> None:
    seen: dict[str, torch.Tensor] = {}
    parts = reference.model.model

    def note(module: Any, name: str, form: Any = lambda output: output) -> Any:
        return module.register_forward_hook(
            lambda _, __, output: seen.__setitem__(name, form(output))
        )

    def note_input(_: Any, inputs: Any) -> None:
        seen["inputs_embeds.image_user"] = seen["lm.hidden.image_user.0"] = inputs[0]

    hooks = [
        note(parts.vision_tower.patch_embedding, "vision.patch_embedding", lambda both: both[0]),
        *(note(layer, f"vision.layer.{n}") for n, layer in enumerate(parts.vision_tower.layers)),
        note(
            parts.multi_modal_projector.conv,
            "vision.conv",
            lambda grid: grid.flatten(2).transpose(1, 2),
        ),
        note(parts.multi_modal_projector.linear_proj, "vision.adapter"),
        parts.language_model.layers[0].register_forward_pre_hook(note_input),
        *(
            note(layer, f"lm.hidden.image_user.{n}")
            for n, layer in enumerate(parts.language_model.layers, 1)
        ),
    ]
    reference.model(**reference.inputs("image_user"))
    for hook in hooks:
        hook.remove()
    wanted = {
        name
        for name in reference.names
        if name.startswith(("vision.", "lm.", "inputs_")) and "features" not in name
    }
    assert seen.keys() == wanted
    limits = {"vision": LAYERS, "lm": HIDDEN, "inputs_embeds": FEATURES}
    for name, actual in seen.items():
        assert reference.difference(name, actual) <= limits[name.split(".")[0]], name


@pytest.mark.parametrize("case", CASES)
def test_positions_and_logits_are_the_reference_ones(reference: Reference, case: str) -> None:
    inputs = reference.inputs(case)
    positions = reference.model._prepare_position_ids_for_generation(
        inputs["input_ids"], {"attention_mask": inputs["attention_mask"]}
    )
    assert reference.difference(f"position_ids.{case}", positions) == 0
    limit = IMAGE_LOGITS if "pixel_values" in inputs else TEXT_LOGITS
    with_mask = reference.model(**inputs).logits
    assert reference.difference(f"logits.{case}", with_mask) <= limit
    # Tokens at one position must not pass for the begins of packed sequences.
    inputs.pop("attention_mask")
    without = reference.model(**inputs, use_cache=False).logits
    assert reference.difference(f"logits.{case}", without) <= limit


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("case", GREEDY)
def test_greedy_answers_are_the_reference_ones(reference: Reference, case: str, cache: str) -> None:
    tokens, logits = reference.generate(reference.inputs(case), **CACHES[cache])
    assert tokens == reference.manifest["greedy"][case]["tokens"]
    assert reference.difference(f"greedy.{case}.logits", logits) <= IMAGE_LOGITS


@pytest.mark.parametrize("with_pixels", [True, False])
def test_a_turn_goes_on_with_the_cache_of_the_last(reference: Reference, with_pixels: bool) -> None:
    first = reference.inputs("image_user")
    output = reference.model.generate(
        **first, do_sample=False, max_new_tokens=16, eos_token_id=None, return_dict_in_generate=True
    )
    held = deepcopy(output["cache"] if "cache" in output else output["past_key_values"])
    case = reference.manifest["greedy"]["continued_turn"]
    ids = torch.tensor([reference.processor.expand(case["input_ids"])])
    name = "cache" if "cache" in output else "past_key_values"
    pixels = {"pixel_values": first["pixel_values"]} if with_pixels else {}
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), name: held, **pixels}
    tokens, logits = reference.generate(inputs)
    assert tokens == case["tokens"]
    assert reference.difference("greedy.continued_turn.logits", logits) <= IMAGE_LOGITS


def test_the_continued_prompt_has_the_reference_logits(reference: Reference) -> None:
    case = reference.manifest["greedy"]["continued_turn"]
    ids = torch.tensor([reference.processor.expand(case["input_ids"])])
    pixels = reference.inputs("image_user")["pixel_values"]
    logits = reference.model(input_ids=ids, pixel_values=pixels).logits
    assert reference.difference("logits.continued_turn", logits) <= IMAGE_LOGITS
    positions = reference.model._prepare_position_ids_for_generation(ids, {})
    assert reference.difference("position_ids.continued_turn", positions) == 0


def test_an_answer_ends_at_a_stop_id_of_the_config(reference: Reference) -> None:
    case = reference.manifest["stop_case"]
    inputs = reference.written(case["messages"])
    assert inputs["input_ids"][0].tolist() == case["input_ids"]
    output = reference.model.generate(**inputs, do_sample=False, max_new_tokens=30)
    tokens = output[0, inputs["input_ids"].shape[1] :].tolist()
    assert tokens == case["tokens_up_to_and_with_the_stop_id"]
