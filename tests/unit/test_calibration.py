"""The sums behind ``bench calibration``, against numbers worked out by hand."""

import pytest

from glm4v_tui.bench.calibration import Answer, calibration_of, table


def answers(*told):
    return [Answer("fail", chance, "fail" if is_right else "pass") for chance, is_right in told]


def test_bins_and_the_expected_error():
    found = calibration_of(
        answers((0.55, True), (0.59, False), (0.95, True), (1.0, True), (0.9, True), (0.97, False))
    )
    assert [(one.low, one.images) for one in found.bins] == [(0.5, 2), (0.9, 4)]
    low, high = found.bins
    assert (low.probability, low.accuracy) == pytest.approx((0.57, 0.5))
    assert (high.probability, high.accuracy) == pytest.approx((0.955, 0.75))
    assert found.expected_error == pytest.approx((2 * 0.07 + 4 * 0.205) / 6)
    assert (found.errors, found.accuracy) == (2, pytest.approx(4 / 6))
    assert found.most_frequent == pytest.approx(4 / 6)


def test_looking_at_the_unsure_first_finds_errors_earlier():
    sure, unsure = [(0.99, True)] * 3, [(0.6, False)]
    found = calibration_of(answers(*sure, *unsure))
    quarter, half = found.gains
    assert (quarter.share, quarter.by_name, quarter.uncertain_first) == (0.25, 0.0, 1.0)
    assert (half.by_name, half.uncertain_first) == (0.0, 1.0)
    confident_and_wrong = calibration_of(answers((0.99, False), (0.6, True), (0.7, True)))
    assert confident_and_wrong.gains[1].uncertain_first == 0.0


def test_without_errors_there_is_nothing_to_find():
    found = calibration_of(answers((0.9, True), (0.8, True)))
    assert [one.uncertain_first for one in found.gains] == [1.0, 1.0]
    assert "0 labels wrong: accuracy 100.0%" in table(found)
