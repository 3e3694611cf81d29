"""The figures of the interface as guards: twice what is promised, since this machine is shared.

``glm4v-tui bench interface`` takes them at full length and holds them against the promise itself.
"""

import pytest

from glm4v_tui.bench import interface
from glm4v_tui.bench.figures import Figure, Machine, Report, percentile, table
from glm4v_tui.bench.stage import stage

SLACK = 2.0
EXACT = ("memory", "bytes written")


def guard(measure, **short):
    with stage() as place:
        figures = list(measure(place, **short))
    assert figures
    for figure in figures:
        slack = 1.0 if figure.name.startswith(EXACT) else SLACK
        assert figure.limit is None or figure.value <= figure.limit * slack, figure
    return {figure.name: figure.value for figure in figures}


def test_it_starts_almost_as_soon_as_an_empty_app():
    figures = guard(interface.measure_start, rounds=2)
    assert figures["first frame of an empty app"] > 20


def test_typing_while_an_answer_streams():
    figures = guard(interface.measure_streaming, keys=60, words=1800, idle_s=2)
    assert figures["memory of the interface"] > 10


def test_a_long_conversation():
    guard(interface.measure_long_conversation, turns=40, keys=30, pages=20)


def test_leafing_through_pictures_on_a_slow_line():
    figures = guard(interface.measure_slow_link)
    assert figures["'next image' held on 250 KB/s: written"] > 10


def test_a_folder_of_many_files():
    guard(interface.measure_picker, files=5000, keys=16)


# The figures themselves -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([3, 1, 2], 50, 2), (list(range(1, 101)), 99, 99), ([7], 99, 7), ([1, 2], 50, 1)],
)
def test_percentiles(values, percent, expected):
    assert percentile(values, percent) == expected


def test_a_report_says_what_is_kept_and_what_is_not():
    machine = Machine("Linux", "3.11", "8.2.8", 2, 0.5)
    kept, broken = Figure("a", 1.0, "ms", 2), Figure("b", 3000.0, "ms", 2)
    assert Report(machine, (kept, Figure("c", 5.0, "s"))).is_met
    assert not Report(machine, (kept, broken)).is_met
    assert not Report(machine, (kept,), ("starting: it ended",)).is_met
    rows = table(Report(machine, (kept, broken), ("starting: it ended",))).splitlines()
    assert [row[0] for row in rows[2:]] == ["✓", "✗", "✗"]
    assert "3,000 ms" in rows[3]


def test_the_model_chooser_beside_a_large_cache(monkeypatch):
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("HF_HOME", raising=False)
    guard(interface.measure_chooser, models=200)
