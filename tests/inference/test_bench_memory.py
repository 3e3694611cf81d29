"""The measuring itself, on the CPU and a tiny shape, so that it works at once on a GPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from glm4v_tui.bench import memory, memory_row
from glm4v_tui.bench import shapes as bench_shapes
from glm4v_tui.bench.memory import Wishes, measure_memory
from glm4v_tui.bench.memory_row import Row
from glm4v_tui.bench.shapes import (
    GLM4V_9B_PARAMETERS,
    _share,
    config_of,
    parameters_of,
    shapes,
    table_of,
    write_checkpoint,
)
from glm4v_tui.inference import loading
from glm4v_tui.inference.placement import choose_placement

TINY = "glm-4.1v-tiny"


def test_glm4v_9b_has_the_published_number_of_parameters() -> None:
    assert parameters_of(table_of(config_of("glm-4v-9b"))) == GLM4V_9B_PARAMETERS


def test_glm41v_has_ten_billion() -> None:
    assert parameters_of(table_of(config_of("glm-4.1v"))) == 10_292_777_472


def test_files_hold_what_the_table_says(tmp_path: Path) -> None:
    count = write_checkpoint(tmp_path, "glm-4v-9b-tiny", "cpu")
    table = table_of(config_of("glm-4v-9b-tiny"))
    places = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    assert places.keys() == table.keys()
    found = 0
    for name, file in places.items():
        with safe_open(tmp_path / file, "pt") as stored:
            tensor = stored.get_tensor(name)
        assert tuple(tensor.shape) == table[name]
        if "norm" in name and name.endswith("weight"):
            assert float(tensor.min()) == float(tensor.max()) > 0
        found += tensor.numel()
    assert found == count


def test_what_a_layer_adds_is_small_in_random_weights() -> None:
    """By the norm or the matrix that its parts end with, whichever comes last."""
    eva, glm = config_of("glm-4v-9b"), config_of("glm-4.1v")
    tower = "transformer.vision.transformer.layers.3.input_layernorm.weight"
    assert _share(tower, eva) == pytest.approx(126**-0.5)
    assert _share("transformer.encoder.layers.3.mlp.dense_4h_to_h.weight", eva) == pytest.approx(
        80**-0.5
    )
    assert _share("transformer.encoder.layers.3.input_layernorm.weight", eva) == 1
    assert _share("model.language_model.layers.3.post_mlp_layernorm.weight", glm) == pytest.approx(
        80**-0.5
    )
    assert _share("model.visual.blocks.3.attn.proj.weight", glm) == pytest.approx(48**-0.5)
    assert _share("lm_head.weight", glm) == 1
    for name in ("glm-4.1v", "glm-4v-9b"):
        found = [one for one in table_of(config_of(name)) if _share(one, config_of(name)) != 1]
        assert len(found) == 2 * (40 + (63 if name == "glm-4v-9b" else 24))


@pytest.mark.parametrize("name", ["glm-4.1v-tiny", "glm-4v-9b-tiny"])
def test_errors_do_not_run_away_in_models_as_deep_as_the_true_ones(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer bits are less exact, and what is compared is more than noise."""
    deep = config_of(name)
    if name == "glm-4v-9b-tiny":
        deep["num_layers"], deep["vision_config"]["num_hidden_layers"] = 40, 63
    else:
        deep["text_config"]["num_hidden_layers"], deep["vision_config"]["depth"] = 40, 24
    monkeypatch.setitem(bench_shapes._CONFIGS, name, lambda: deep)
    write_checkpoint(tmp_path / name, name, "cpu")
    exact = _logits(tmp_path / name, name, "fp32")
    errors = [
        float((_logits(tmp_path / name, name, precision) - exact).norm() / exact.norm())
        for precision in ("bf16", "int8", "int4")
    ]
    assert errors == sorted(errors)
    assert 0 < errors[0] < 0.05
    assert errors[1] < 0.1
    assert errors[2] < 0.4


def _logits(folder: Path, shape: str, precision: str) -> torch.Tensor:
    placement = choose_placement(precision, "cpu", lambda itemsize: itemsize)
    model = loading.load(str(folder), placement, lambda *_: None).model
    row = Row(shape, str(folder), precision, device="cpu", pixels=112, text=60)
    with torch.inference_mode():
        logits: torch.Tensor = model(**memory_row.inputs(model, row)).logits[0, -16:].float()
    return logits


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / TINY
    write_checkpoint(folder, TINY, "cpu")
    return folder


def measured(tiny: Path, tmp_path: Path, precision: str, **options: Any) -> dict[str, Any]:
    row = Row(
        TINY, str(tiny), precision, device="cpu", pixels=112, text=24, new=4,
        reference=str(tmp_path / "reference.safetensors"), **options,
    )  # fmt: skip
    facts: dict[str, Any] = {}
    memory_row._measure(row, facts)
    return facts


def test_a_row_tells_memory_speed_and_error(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    exact = measured(tiny, tmp_path, "bf16")
    first = measured(tiny, tmp_path, "int4", keep=True)
    again = measured(tiny, tmp_path, "int4")
    assert exact["prompt_tokens"] == 24 + 16 + 2
    assert "logits_error" not in exact
    assert first["weights_gib"] < exact["weights_gib"]
    assert 0 < first["logits_error"] == again["logits_error"]
    assert (first["from_saved"], again["from_saved"]) == (False, True)
    assert first["first_tokens"] == again["first_tokens"]
    assert min(first[name] for name in ("load_s", "first_token_s", "tokens_per_s")) > 0
    assert first["load_host_gib"] > 0


def test_rows_are_told_one_by_one_and_failures_too(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that fails under its cap is measured again without one."""
    asked: list[Row] = []

    def run(row: Row, _: Path) -> dict[str, Any]:
        asked.append(row)
        return {"failed": "OutOfMemoryError"} if row.card else {"load_s": 1.0}

    told: list[dict[str, Any]] = []
    monkeypatch.setattr(memory, "_run", run)
    monkeypatch.setattr(memory, "make", lambda *_: {"made": True})
    rows = ("int4-compact streamed", "bf16 @8")
    wishes = Wishes(("glm-4v-9b",), rows, folder=str(tiny.parent), device="cpu")
    measure_memory(wishes, told.append)
    assert [(row.precision, row.vision, row.card, row.new) for row in asked] == [
        ("int4-compact", "streamed", 6, 128),
        ("int4-compact", "streamed", None, 128),
        ("bf16", "auto", 8, 16),
        ("bf16", "auto", None, 16),
    ]
    assert told[0] == {"made": True}
    assert len(told) == 5


def test_a_card_leaves_less_to_torch_than_it_has() -> None:
    """Else a row would be said to fit a card that CUDA itself takes a part of."""
    assert memory_row.room_of(6) == pytest.approx(5.46 * memory_row.GIB, rel=0.01)
    assert memory_row.cap_of(6) == pytest.approx(5.21 * memory_row.GIB, rel=0.01)


def test_no_row_begins_after_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    measure_memory(Wishes(shapes(), seconds=-1, device="cpu"), told.append)
    assert [facts["skipped"] for facts in told] == ["no time left"] * len(shapes())


def test_a_process_that_dies_is_a_row(tmp_path: Path) -> None:
    facts = memory._run(Row(TINY, str(tmp_path / "none"), "int4", device="cpu"), tmp_path)
    assert "config.json" in facts["failed"]
    assert facts["precision"] == "int4"
