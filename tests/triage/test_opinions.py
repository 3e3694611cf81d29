"""What the model said before, taken over at the start."""

import pytest

from glm4v_tui.engine.protocol import Sampling
from glm4v_tui.store.database import Database
from glm4v_tui.store.results import Results, StoredResult
from glm4v_tui.tasks.task import Label, Language
from glm4v_tui.triage.identity import asked_key
from glm4v_tui.triage.opinions import stored_opinions
from glm4v_tui.triage.queue import Order
from tests.reviewing import SortTask
from tests.triage.reviews import images_in, review_of


class Sort(SortTask):
    """It asks how probable the labels are."""

    label_question = SortTask.question
    labels = (Label("good", answer="good"), Label("bad", answer="bad"))


CHANCES = {"a.png": -3.0, "b.png": -0.1, "d.png": -1.0}
"""By file name, the log-likelihood of ``bad`` where that of ``good`` is 0."""


@pytest.fixture
def database(tmp_path):
    return tmp_path / "db.sqlite3"


def opinions(database, model="m"):
    task = Sort()
    values = task, task.options_type(), Language.EN, model, Sampling()
    return list(stored_opinions(Database(database), *values))


def test_uncertain_first_from_the_start(tmp_path, database):
    folder = images_in(tmp_path / "parts", ["a.png", "b.png", "c.png", "d.png"])
    review = review_of(folder, database)
    digests = {review.queue.path(index).name: review._ledger.digest(index) for index in range(4)}
    asked = asked_key(Sort(), Sort.options_type(), Language.EN, Sampling())
    results = Results(Database(database), asked, "m")
    for name, chance in CHANCES.items():
        said = {"good": (0.0, 1), "bad": (chance, 1)}
        results.put(digests[name], StoredResult(log_likelihoods=said))
    results.put(f"{digests['c.png']}:0,0,5,5", StoredResult(log_likelihoods={"bad": (-1.0, 1)}))
    results.put(digests["c.png"], StoredResult(raw="{}"))

    again = review_of(folder, database)
    assert again.recall(opinions(database)) == 3
    again.show(order=Order.UNCERTAIN)
    shown = [again.queue.path(again.queue.at(position)).name for position in range(4)]
    assert shown == ["b.png", "d.png", "a.png", "c.png"]
    assert again.standings.model_label(0) == "good"
    assert again.standings.probability(1) == pytest.approx(1 / (1 + 2.718281828**-0.1))
    assert opinions(database, model="another") == []


def test_of_a_task_that_does_not_ask_how_probable_labels_are_the_result_tells(tmp_path, database):
    task = SortTask()
    asked = asked_key(task, task.options_type(), Language.EN, Sampling())
    results = Results(Database(database), asked, "m")
    raws = {"a": '{"kind": "bad"}', "b": '{"kind": "none"}', "c": '{"kind": "go'}
    for name, raw in raws.items():
        results.put(name * 64, StoredResult(raw=raw, is_finished=name != "c"))
    values = task, task.options_type(), Language.EN, "m", Sampling()
    assert list(stored_opinions(Database(database), *values)) == [("a" * 64, "bad", None)]
