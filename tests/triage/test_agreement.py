"""Model against reviewer, counted as verdicts come and go."""

import pytest

from glm4v_tui.triage import filters
from glm4v_tui.triage.review import REJECTED
from tests.triage.reviews import images_in, review_of

SAID = ["good", "good", "good", "bad", "bad", None]
GIVEN = ["good", "good", "bad", "bad", REJECTED, "good"]


@pytest.fixture
def review(tmp_path):
    names = [f"{number}.png" for number in range(len(SAID))]
    review = review_of(images_in(tmp_path / "parts", names), tmp_path / "db.sqlite3")
    for index, (said, given) in enumerate(zip(SAID, GIVEN, strict=True)):
        review.queue.go(index)
        review.learn(index, review._ledger.digest(index), said, 0.8)
        review.give(given)
    return review


def test_counts(review):
    agreement = review.agreement
    assert agreement.confusion == {
        ("good", "good"): 2,
        ("good", "bad"): 1,
        ("bad", "bad"): 1,
        ("bad", REJECTED): 1,
    }
    assert (agreement.agreed, agreement.total) == (3, 5)  # one image has no label of the model
    assert agreement.share == 0.6
    assert agreement.labels == ("bad", "good", REJECTED)


def test_precision_and_recall(review):
    agreement = review.agreement
    assert agreement.precision("good") == pytest.approx(2 / 3)
    assert agreement.precision("bad") == pytest.approx(1 / 2)
    assert agreement.recall("good") == 1
    assert agreement.recall("bad") == pytest.approx(1 / 2)
    assert agreement.recall("never seen") is None


def test_live(review):
    review.queue.go(2)
    review.give("good")
    assert review.agreement.agreed == 4
    review.undo()
    assert review.agreement.agreed == 3
    review.learn(5, review.standings.digest(5), "good", 0.7)  # the model comes later
    assert (review.agreement.agreed, review.agreement.total) == (4, 6)


def test_disagreements_are_a_filter(review):
    assert review.show(filters.disagreements) == 2
    assert [review.queue.at(0), review.queue.at(1)] == [2, 4]
