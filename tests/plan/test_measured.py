"""The plan's forecasts beside what was measured on a GPU."""

import pytest

from glm4v_tui.plan import PRECISIONS, Load, Part, Precision, Tower, known_shape
from glm4v_tui.plan.figures import GIB
from glm4v_tui.plan.memory import Room, plan_for
from glm4v_tui.precision import Format

GLM_41V = known_shape("zai-org/GLM-4.1V-9B-Thinking")
GLM_4V = known_shape("zai-org/glm-4v-9b")


def test_parameters_of_glm_4v_are_those_that_users_counted():
    assert GLM_4V.parameters == 13_906_320_896
    assert GLM_4V.parameters_of(Part.LANGUAGE) == 8_158_437_376
    assert GLM_4V.parameters_of(Part.HEAD) == GLM_4V.parameters_of(Part.EMBEDDING) == 620_756_992


def test_parameters_of_glm_41v_are_those_that_transformers_builds():
    assert GLM_41V.parameters == 10_292_777_472
    tower = GLM_41V.parameters_of(Part.VISION) + GLM_41V.parameters_of(Part.ADAPTER)
    assert tower == 892_498_432


@pytest.mark.parametrize("shape", [GLM_41V, GLM_4V])
def test_a_token_takes_40_kib_of_keys_and_values(shape):
    assert shape.kv_per_token == 40 * 1024


BF16, INT8, NF4 = Format.BF16, Format.INT8, Format.NF4
TRANSFORMERS = {
    "bf16": Precision("bf16", *(BF16,) * 6, in_pieces=False),
    "int8": Precision("int8", BF16, INT8, BF16, BF16, INT8, INT8, in_pieces=False),
    "int4": Precision("int4", BF16, NF4, BF16, BF16, NF4, NF4, in_pieces=False),
}
"""What ``load_in_8bit`` and ``load_in_4bit`` do: no table quantized, products made whole."""


@pytest.mark.parametrize(
    ("precision", "weights", "peak"),
    [("bf16", 19.17, 19.55), ("int8", 10.78, 11.33), ("int4", 6.71, 7.20)],
)
def test_peaks_measured_on_an_h100_are_forecast_within_a_percent(precision, weights, peak):
    """GLM-4.1V-9B's shape, plain transformers; 1,600 image tokens, 74 of text, 128 new ones."""
    load = Load(((1120, 1120),), context=1674 + 128, prompt=1674)
    plan = plan_for(GLM_41V, TRANSFORMERS[precision], Room(80 * GIB), load)
    assert plan.image_tokens == 1600
    assert plan.resident / GIB == pytest.approx(weights, rel=0.01)
    assert plan.peak / GIB == pytest.approx(peak, rel=0.01)


@pytest.mark.parametrize(
    ("shape", "text", "precision", "limit"),
    [
        (GLM_4V, 1000, "bf16", 27.5),
        (GLM_4V, 1000, "int8", 15.5),
        (GLM_4V, 1000, "mixed", 12.0),
        (GLM_4V, 1000, "int4", 9.6),
        (GLM_4V, 1000, "int4-compact", 7.4),
        (GLM_41V, 74, "bf16", 19.6),
        (GLM_41V, 74, "int8", 11.2),
        (GLM_41V, 74, "int4", 7.0),
        (GLM_41V, 74, "int4-compact", 5.3),
    ],
)
def test_what_is_promised_is_not_more_than_the_plan_says(shape, text, precision, limit):
    """One image of 1,120 pixels a side, its text, and 128 new tokens."""
    prompt = 1600 + shape.vision.extra_tokens + text
    load = Load(context=prompt + 128, prompt=prompt)
    plan = plan_for(shape, PRECISIONS[precision], Room(80 * GIB), load)
    assert round(plan.peak / GIB, 1) <= limit


def test_streaming_the_tower_makes_glm_4v_fit_six_gib():
    compact = PRECISIONS["int4-compact"]
    load = Load(context=2602 + 128)
    assert plan_for(GLM_4V, compact, Room(80 * GIB), load, Tower.STREAMED).peak / GIB <= 6
