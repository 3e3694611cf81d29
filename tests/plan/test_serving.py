"""A server for what one box does not hold: how many GPUs, and the sums behind it."""

import shlex

import msgspec
import pytest
from click.testing import CliRunner

from glm4v_tui.cli import cli
from glm4v_tui.engine_settings import all_engines
from glm4v_tui.plan import Load, Part, known_shape, plans
from glm4v_tui.plan.serving import command, serving_plan, settings_lines

GIB = 1 << 30
NAME = "zai-org/GLM-4.1V-9B-Thinking"
SHAPE = known_shape(NAME)
LOAD = Load(((1120, 1120),), 8192)


def larger(times):
    """The same model with so many times the layers of language."""
    weights = tuple(
        msgspec.structs.replace(one, count=one.count * times) if one.part is Part.LANGUAGE else one
        for one in SHAPE.weights
    )
    language = msgspec.structs.replace(SHAPE.language, layers=SHAPE.language.layers * times)
    return msgspec.structs.replace(SHAPE, weights=weights, language=language)


def test_the_sums_are_those_of_the_parts():
    plan = serving_plan(SHAPE, LOAD, 4, 24 * GIB)
    (whole,) = [one for one in plans(SHAPE, gpu_free=0, load=LOAD) if one.precision == "bf16"]
    parts = whole.weights
    assert plan.tensor_parallel == 2
    assert plan.weights == (parts.language + parts.embedding + parts.head) // 2
    assert plan.all_kv == 4 * 8192 * SHAPE.kv_per_token
    assert plan.kv == plan.all_kv // 2  # it has as many heads of keys and values
    assert plan.vision == parts.vision + parts.adapter
    assert plan.needed <= plan.usable == int(24 * GIB * 0.9)


def test_keys_and_values_are_split_by_their_heads_at_most():
    plan = serving_plan(larger(12), LOAD, 8)
    assert plan.tensor_parallel > SHAPE.language.kv_heads == 2
    assert plan.kv == plan.all_kv // 2


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (1, (1, 1, "")),
        (4, (2, 1, "")),
        (12, (4, 1, "")),
        (16, (8, 1, "")),  # (16 x 15.2 + 2.3) / 8 + 20 + 3.9 GiB
        (25, (8, 1, "fp8")),  # 16 bits would be 83 GiB each
        (40, (8, 2, "fp8")),
    ],
)
def test_it_takes_the_fewest_gpus_then_fewer_bits_then_more_hosts(times, expected):
    plan = serving_plan(larger(times), LOAD, 8)
    assert (plan.tensor_parallel, plan.pipeline_parallel, plan.quantization) == expected
    assert plan.fits


def test_more_questions_at_a_time_take_more_memory():
    few, many = serving_plan(SHAPE, LOAD, 1), serving_plan(SHAPE, LOAD, 256)
    assert many.all_kv == 256 * few.all_kv
    assert many.gpus > few.gpus


def test_what_does_not_fit_says_so():
    assert not serving_plan(larger(1000), LOAD, 8).fits


def test_the_command_is_what_the_plan_says():
    words = shlex.split(command(serving_plan(larger(40), LOAD, 8), NAME))
    assert words[:3] == ["vllm", "serve", NAME]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options == {
        "--tensor-parallel-size": "8",
        "--pipeline-parallel-size": "2",
        "--quantization": "fp8",
        "--max-model-len": "8192",
        "--max-num-seqs": "8",
        "--gpu-memory-utilization": "0.9",
    }


def test_the_settings_can_be_pasted(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(settings_lines(serving_plan(SHAPE, LOAD, 16), 'odd "name"'))
    engine = all_engines(file)["cluster"]
    assert (engine.model, engine.max_in_flight) == ('odd "name"', 16)


def test_plan_prints_it_where_it_was_asked_for_or_is_needed():
    asked = CliRunner().invoke(cli, ["plan", NAME, "--gpu-memory", "80", "--requests", "32"])
    assert "vllm serve" in asked.output
    assert "[engines.cluster]" in asked.output
    small = CliRunner().invoke(cli, ["plan", NAME, "--gpu-memory", "4"])
    assert "Served by vLLM on" in small.output
    enough = CliRunner().invoke(cli, ["plan", NAME, "--gpu-memory", "80"])
    assert "vllm" not in enough.output
