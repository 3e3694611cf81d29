"""Forecasts beside measured rows: read as ``bench memory`` writes them."""

import json

import pytest

from glm4v_tui.bench.forecast import compare, table
from glm4v_tui.bench.memory_table import measured_table

ROW = {
    "shape": "glm-4.1v", "precision": "bf16", "vision": "auto", "device": "cuda", "on": "cuda:0",
    "pixels": 1120, "text": 72, "new": 128, "prompt_tokens": 1674, "resident_gib": 19.172,
    "answer_peak_gib": 19.55, "answer_reserved_gib": 19.8, "answer_gpu_process_gib": 20.3,
    "load_peak_gib": 19.2,
}  # fmt: skip


def test_a_row_is_set_beside_its_forecast():
    (found,) = compare([json.dumps(ROW)])
    assert found.weights_error == pytest.approx(0, abs=0.003)
    assert found.peak_error == pytest.approx(0, abs=0.01)
    assert found.beside == pytest.approx(0.5)
    assert found.slack == pytest.approx(0.0128, abs=0.001)
    assert "| glm-4.1v | bf16 | 19.23; 19.17; " in table([found])


def test_an_error_is_a_share_of_what_was_measured():
    (found,) = compare([json.dumps(ROW | {"answer_peak_gib": 2 * 19.55})])
    assert found.peak_error == pytest.approx(-0.5, abs=0.01)


def test_a_load_that_took_more_than_the_answer_is_the_peak():
    (found,) = compare([json.dumps(ROW | {"load_peak_gib": 30.0})])
    assert found.peak == 30.0


def test_rows_without_an_answer_or_from_disk_are_passed_over():
    other = [{"shape": "glm-4.1v", "failed": "x"}, ROW | {"on": "cuda:0+disk"}, {"shape": "tiny"}]
    assert not list(compare(map(json.dumps, other)))


@pytest.mark.parametrize(
    ("changes", "tower"),
    [
        ({"on": "cuda:0+host"}, "parked"),
        ({"vision": "streamed"}, "streamed"),
        ({"on": "cuda:0+host", "tower": "streamed"}, "streamed"),
        ({}, "resident"),
    ],
)
def test_where_the_tower_was_is_forecast_for(changes, tower):
    (found,) = compare([json.dumps(ROW | {"precision": "int4-compact"} | changes)])
    assert found.tower == tower


@pytest.mark.parametrize("told", [{}, {"tower": "streamed", "layers_here": 9}])
def test_a_row_whose_layers_were_streamed_is_forecast_as_such(told):
    """As measured: bf16 on a card of 8 GiB, where 9 of 40 layers stayed."""
    row = ROW | {"on": "cuda:0+host", "resident_gib": 6.141, "prompt_tokens": 2602, "new": 16}
    row |= {"answer_peak_gib": 7.395, "load_peak_gib": 6.141}
    (found,) = compare([json.dumps(row | told)])
    assert (found.tower, found.away) == ("streamed", 31)
    assert found.weights_error == pytest.approx(0, abs=0.01)
    # Measured before the tower turned in place, and on transformers' loop.
    assert -0.03 < found.peak_error < 0
    assert "bf16 streamed, 31 layers streamed" in table([found])


def test_rows_are_told_as_a_table_of_their_shape():
    rows = [
        ROW | {"load_s": 1.73, "card": 24.0, "load_peak_gib": 20.0, "logits_error": 0.0321},
        ROW
        | {"load_s": 0.9, "from_saved": True, "tower": "parked", "layers_here": 30, "layers": 40},
        ROW | {"shape": "glm-4v-9b", "load_s": 2.5},
        {"shape": "glm-4.1v", "failed": "x"},
    ]
    first, second = measured_table(map(json.dumps, rows)).split("\n\n")
    heading, _, whole, kept = first.splitlines()
    assert heading.startswith("| glm-4.1v | card | peak |")
    assert whole == "| bf16 | 24 | 20.00 | 20.30 | 1.7 s |  |  | 3.2% |"
    assert kept.startswith("| bf16, vision parked, 10 layers streamed, kept weights |  | 19.55 |")
    assert second.startswith("| glm-4v-9b | card |")
