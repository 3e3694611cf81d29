"""The formulas for activations beside a trace of everything that transformers allocates."""

import msgspec
import pytest
import torch
from transformers import DynamicCache, Glm4vConfig, Glm4vForConditionalGeneration

from glm4v_tui.inference.language.tower import use_lean_tower
from glm4v_tui.inference.pieces import feed_in_pieces
from glm4v_tui.plan import PRECISIONS
from glm4v_tui.plan.activations import (
    Images,
    library_prefill_bytes,
    pixel_bytes,
    vision_bytes,
)
from glm4v_tui.plan.configs import language_of, vision_of

from .allocations import Allocations

CONFIG = {
    "model_type": "glm4v",
    "text_config": {
        "hidden_size": 1024,
        "num_hidden_layers": 2,
        "intermediate_size": 3424,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "vocab_size": 1600,
        "pad_token_id": 0,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 0.5,
            "mrope_section": [8, 12, 12],
        },
    },
    "vision_config": {
        "depth": 2,
        "hidden_size": 384,
        "num_heads": 3,
        "out_hidden_size": 1024,
        "intermediate_size": 3424,
    },
}
"""A quarter of GLM-4.1V-9B's width, two layers deep."""


WHOLE = msgspec.structs.replace(PRECISIONS["bf16"], in_pieces=False)
IN_PIECES = PRECISIONS["bf16"]


@pytest.fixture(scope="module", params=[WHOLE, IN_PIECES], ids=["whole", "in pieces"])
def precision(request):
    return request.param


@pytest.fixture(scope="module")
def model(precision):
    ids = dict.fromkeys(("image_token_id", "video_token_id"), 1500)
    config = Glm4vConfig(**CONFIG, **ids)
    made = Glm4vForConditionalGeneration(config).to(torch.bfloat16).eval()
    assert use_lean_tower(made.model.visual)
    if precision.in_pieces:
        feed_in_pieces([*made.model.language_model.layers, *made.model.visual.blocks])
    return made


@pytest.mark.parametrize("side", [560, 784])
def test_the_vision_tower_needs_what_the_formula_says(model, precision, side):
    vision = vision_of(CONFIG, {})
    images = Images.of(vision, [(side, side)])
    grid = torch.tensor([[1, side // 14, side // 14]])
    pixels = torch.zeros(images.patches, 1176, dtype=torch.bfloat16)
    with torch.inference_mode(), Allocations() as traced:
        model.model.visual(pixels, grid_thw=grid)
    said = vision_bytes(vision, images, precision) + pixel_bytes(vision, images, precision)
    assert said == pytest.approx(traced.peak, rel=0.08)


@pytest.mark.parametrize("tokens", [300, 1024, 1500, 4000])
def test_reading_a_prompt_needs_what_the_formula_says(model, precision, tokens):
    text = language_of(CONFIG)
    vectors = torch.zeros(1, tokens, text.hidden, dtype=torch.bfloat16)
    positions = torch.zeros(3, 1, tokens, dtype=torch.long)
    with torch.inference_mode(), Allocations() as traced:
        model.model.language_model(
            inputs_embeds=vectors,
            position_ids=positions,
            past_key_values=DynamicCache(config=model.config.text_config),
            use_cache=True,
        )
    kv = 2 * 2 * text.kv_heads * text.head_dim * 2 * tokens
    assert library_prefill_bytes(text, tokens, precision) + kv == pytest.approx(
        traced.peak, rel=0.04
    )
