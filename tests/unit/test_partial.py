"""A result while it is being written."""

import json

import pytest

from glm4v_tui.tasks.partial import written_so_far

VALUE = {
    "product": 'tile "x" \\ é \U0001f600 {[',
    "flaws": [{"kind": "hole", "box": [1, 20, 333, -4.5e3], "sure": True, "cause": None}, {}],
    "none": [],
    "grade": 10,
}


@pytest.mark.parametrize("text", [json.dumps(VALUE), json.dumps(VALUE, indent=2),
                                  json.dumps(VALUE, ensure_ascii=False)])  # fmt: skip
def test_what_is_there_only_grows_and_ends_as_the_value(text):
    sizes = []
    for end in range(len(text) + 1):
        value = written_so_far(text[:end])
        assert value is not None or end == 0
        assert value is None or _agrees(value, VALUE), text[:end]
        sizes.append(len(json.dumps(value)) if value else 0)
    assert value == VALUE
    assert sizes == sorted(sizes), "what was shown once is not taken back"


def test_a_number_is_shown_once_it_is_sure_to_be_over():
    assert written_so_far('{"grade": 1') == {}
    assert written_so_far('{"grade": 10}') == {"grade": 10}
    assert written_so_far('{"box": [1, 2') == {"box": [1]}


@pytest.mark.parametrize("text", ["", "Yes.", "I see {", "}", "[" * 100_000, '"', "nul"])
def test_what_is_no_json_shows_nothing_or_a_value(text):
    written_so_far(text)  # raises nothing


def _agrees(part, whole):
    """Whether ``part`` is the beginning of ``whole``."""
    if isinstance(whole, dict):
        return all(_agrees(part[key], whole[key]) for key in part)
    if isinstance(whole, list):
        return len(part) <= len(whole) and all(map(_agrees, part, whole))
    if isinstance(whole, str):
        return whole.startswith(part)
    return part == whole
