"""What an answer is expected to go on with, and whether expecting it pays."""

from __future__ import annotations

import pytest

from glm4v_tui.inference.language.expectation import MOST, Expectation, Lookup, Pace


def test_what_followed_the_same_three_tokens_is_expected() -> None:
    lookup = Lookup([1, 2, 3, 4, 5, 9, 1, 2])
    assert lookup.expected() == []
    lookup.take(3)
    assert lookup.expected() == [4, 5, 9, 1, 2, 3]


def test_the_last_place_counts_where_there_are_several() -> None:
    assert Lookup([1, 2, 3, 7, 1, 2, 3, 8, 1, 2, 3]).expected()[0] == 8


def test_all_three_must_agree() -> None:
    assert Lookup([1, 2, 3, 4, 9, 2, 3]).expected() == []
    assert Lookup([1, 2, 3, 4, 1, 9, 3]).expected() == []


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_tokens_expect_nothing(count: int) -> None:
    assert Lookup([5] * count).expected() == []


def test_no_more_is_expected_than_a_pass_takes() -> None:
    lookup = Lookup(range(600))
    for token in (10, 11, 12):
        lookup.take(token)
    assert lookup.expected() == list(range(13, 13 + MOST))


def test_room_grows_with_the_answer() -> None:
    lookup = Lookup([1, 2, 3])
    for token in range(10, 2000):
        lookup.take(token)
    for token in (1500, 1501, 1502):
        lookup.take(token)
    assert lookup.expected()[:2] == [1503, 1504]


def test_what_the_form_leaves_no_choice_about_comes_first() -> None:
    forced = [[8, 8], []]
    expectation = Expectation([1, 2, 3, 4, 1, 2, 3], lambda: forced.pop(0), Pace())
    assert expectation.expected(7) == [8, 8]
    assert expectation.expected(7)[0] == 4


def test_no_more_is_expected_than_there_is_room_for() -> None:
    expectation = Expectation([1, 2, 3, 4, 5, 6, 1, 2, 3], None, Pace())
    assert expectation.expected(2) == [4, 5]
    assert expectation.expected(0) == []


def settled(step: float, passed: float, gained: int, passes: int = 30) -> Pace:
    pace = Pace()
    pace.stepped(step)
    for _ in range(passes):
        if not pace.pays:
            break
        pace.passed(passed, gained)
    return pace


def test_passes_that_save_time_go_on() -> None:
    assert settled(step=1.0, passed=1.5, gained=2).pays


def test_passes_that_cost_time_rest_and_are_tried_again_later_and_later() -> None:
    pace = settled(step=1.0, passed=1.5, gained=1)
    assert not pace.pays
    rests = []
    for _ in range(3):
        waited = 0
        while not pace.pays:
            pace.went_on()
            waited += 1
        rests.append(waited)
        while pace.pays:
            pace.passed(1.5, 1)
    assert rests[0] < rests[1] < rests[2]


def test_another_answer_tries_anew_and_knows_what_a_pass_costs() -> None:
    pace = settled(step=1.0, passed=9.0, gained=8)
    pace.begin()
    assert pace.pays
    pace.passed(9.0, 8)
    assert not pace.pays
