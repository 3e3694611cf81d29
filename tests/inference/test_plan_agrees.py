"""The loader puts a model where the memory plan said, in the shapes that are published."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText
from transformers.initialization import no_init_weights

from glm4v_tui.bench.shapes import config_of
from glm4v_tui.inference.arranging import measure_parts
from glm4v_tui.inference.glm4v_9b import register
from glm4v_tui.inference.layout import GIB, Layout, Room, Sizes, lay_out
from glm4v_tui.inference.quantized.replace import exchange_layers
from glm4v_tui.plan import PRECISIONS, Deployment, Gpu, choose, known_shape, usual_load
from glm4v_tui.plan.beside import beside_weights
from glm4v_tui.precision import PRECISIONS as RULES

NAMES = {"glm-4.1v": "zai-org/GLM-4.1V-9B-Thinking", "glm-4v-9b": "zai-org/glm-4v-9b"}
HOST = 200 * GIB


@lru_cache
def sizes_of(name: str, precision: str) -> Sizes:
    """Of a model without weights, as the loader measures it."""
    register()
    values = config_of(name)
    config = AutoConfig.for_model(values.pop("model_type"), **values)
    with torch.device("meta"), no_init_weights():
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    exchange_layers(model, RULES[precision], packed=False)
    return Sizes(*measure_parts(model, RULES[precision], in_host=True))


def laid_out(name: str, precision: str, free: int) -> Layout:
    shape = known_shape(NAMES[name])
    assert shape is not None
    beside = beside_weights(shape, PRECISIONS[precision])
    sizes = replace(sizes_of(name, precision), beside=beside)
    may_park = PRECISIONS[precision].may_park_vision
    return lay_out(sizes, Room(((0, free),), HOST), "auto", may_park=may_park)


def planned(name: str, precision: str, free: int) -> Deployment:
    shape = known_shape(NAMES[name])
    assert shape is not None
    gpus = [Gpu(0, free)]
    return choose(
        shape, gpus, host_free=HOST, load=usual_load(shape), precision=precision, context=0
    )


@pytest.mark.parametrize("precision", ["bf16", "int8", "mixed", "int4", "int4-compact"])
@pytest.mark.parametrize("name", sorted(NAMES))
def test_sizes_are_those_of_the_plan(name: str, precision: str) -> None:
    sizes = sizes_of(name, precision)
    plan = planned(name, precision, 80 * GIB).plan
    assert sizes.total == pytest.approx(plan.resident, rel=0.002)


@pytest.mark.parametrize("precision", ["bf16", "int8", "int4", "int4-compact"])
@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_loader_does_what_was_planned(name: str, precision: str) -> None:
    """From a card of 4.75 GiB to one of 30; near a border both may round differently."""
    differ = 0
    for free in range(19 * GIB // 4, 30 * GIB, GIB // 4):
        layout, plan = laid_out(name, precision, free), planned(name, precision, free)
        here = sum(device == "cuda:0" for device in plan.split.layers)
        differ += layout.vision != plan.plan.tower
        assert abs(layout.layers.count(0) - here) <= 1, free / GIB
        assert ("host" in layout.name) is (plan.split.is_offloaded or plan.plan.tower != "resident")
    assert differ <= 1


def test_a_6_gib_card_runs_both_models_with_all_layers_on_it() -> None:
    """What is left of it when CUDA's context is there."""
    free = int(5.45 * GIB)
    for name in NAMES:
        layout = laid_out(name, "int4-compact", free)
        assert layout.vision in ("parked", "streamed")
        assert set(layout.layers) == {0}
        assert planned(name, "int4-compact", free).context >= 2560


def test_a_folder_tells_the_loader_the_same(tiny_glm4v: Path) -> None:
    from glm4v_tui.plan import shape_of

    small = beside_weights(shape_of(tiny_glm4v), PRECISIONS["int4-compact"])
    large = known_shape(NAMES["glm-4.1v"])
    assert large is not None
    needed = beside_weights(large, PRECISIONS["int4-compact"])
    assert small[0].decode < needed[0].decode
    assert [one.decode for one in needed] == sorted((one.decode for one in needed), reverse=True)
