"""Labels that are given because the model is sure."""

import pytest

from glm4v_tui.triage import filters
from tests.triage.reviews import images_in, review_of

CHANCES = [0.99, 0.6, 0.97, 0.98]


@pytest.fixture
def database(tmp_path):
    return tmp_path / "db.sqlite3"


@pytest.fixture
def folder(tmp_path):
    return images_in(tmp_path / "parts", [f"{number}.png" for number in range(len(CHANCES))])


@pytest.fixture
def review(folder, database):
    review = review_of(folder, database)
    for index, chance in enumerate(CHANCES):
        review.learn(index, f"{index + 1:064x}", "good", chance)
    return review


def labels(review):
    return [review.standings.label(index) for index in range(len(CHANCES))]


def test_off_by_default(review):
    assert labels(review) == [None] * 4
    assert review.progress.automatic == 0


def test_above_the_threshold_and_marked(review):
    assert review.automatic.start(0.97) == 3
    assert labels(review) == ["good", None, "good", "good"]
    assert (review.progress.done, review.progress.automatic) == (3, 3)
    assert review.verdict_at(0).is_automatic
    assert review.show(filters.automatic) == 3
    assert review.agreement.total == 0  # the model does not agree with itself


def test_as_the_model_goes_on_but_not_under_the_reviewer_eyes(folder, database):
    review = review_of(folder, database)
    review.automatic.start(0.9)
    review.learn(0, "1" * 64, "good", 0.95)
    review.learn(1, "2" * 64, "bad", 0.95)
    assert labels(review) == [None, "bad", None, None]


def test_undone_together_but_for_those_a_reviewer_has_seen(folder, database):
    review = review_of(folder, database)
    for index in range(3):
        review.queue.go(index)
        review.learn(index, review._ledger.digest(index), "good", 0.95)
    review.automatic.start(0.9)
    review.queue.go(1)
    review.give("bad")
    assert review.undo() is not None  # his own verdict, not the automatic ones
    assert labels(review) == ["good", "good", "good", None]
    review.give("bad")
    again = review_of(folder, database)
    assert again.progress.automatic == 2
    assert again.automatic.undo() == 2
    assert labels(again) == [None, "bad", None, None]
    assert again.automatic.undo() == 0


def test_undone_by_who_gave_them_alone(folder, database):
    """And another reviewer's decision does not keep them."""
    review = review_of(folder, database)
    review.learn(1, review._ledger.digest(1), "good", 0.95)
    review.automatic.start(0.9)
    bob = review_of(folder, database, reviewer="bob")
    assert bob.automatic.undo() == 0
    bob.queue.go(1)
    bob.give("bad")
    assert review.automatic.undo() == 1
