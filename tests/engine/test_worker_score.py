"""Scores through the model's process: in turn with answers, ended, failed, images let go of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from glm4v_tui.engine.protocol import (
    Abort,
    DropImage,
    Failed,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    MemoryReading,
    PutImage,
    Score,
    Scored,
    TextDelta,
)
from tests.engine.test_worker import ATTACHED, LONG, PICTURE, SHORT, WorkerUnderTest

ANSWERS = ("Yes", "A red square stands")


@pytest.fixture(scope="module")
def worker(tiny_glm4v: Path) -> Iterator[WorkerUnderTest]:
    one = WorkerUnderTest()
    assert isinstance(one.load(tiny_glm4v), Loaded)
    yield one
    one.end()


def test_answers_and_scores_come_in_the_order_of_their_requests(worker: WorkerUnderTest) -> None:
    worker.send(
        Score("a", (ATTACHED,), ANSWERS),
        Generate("b", (ATTACHED,), SHORT),
        Score("c", (ATTACHED,), ANSWERS),
    )
    again = worker.wait_for(Scored, request_id="c")
    ends = [e.request_id for e in worker.heard if isinstance(e, Finished | Scored)]
    assert ends == ["a", "b", "c"]
    first = next(e for e in worker.heard if isinstance(e, Scored))
    assert first.log_likelihoods == pytest.approx(again.log_likelihoods, abs=1e-6)
    assert first.tokens[1] > first.tokens[0] > 0
    assert first.log_likelihoods[1] < 0 < first.total_s


def test_a_queued_score_is_ended_at_once(worker: WorkerUnderTest) -> None:
    worker.send(Generate("long", (ATTACHED,), LONG), Score("queued", (ATTACHED,), ANSWERS))
    worker.wait_for(TextDelta, request_id="long")
    worker.send(Abort("queued"))
    ended = worker.wait_for(Finished)
    assert (ended.request_id, ended.reason) == ("queued", FinishReason.ABORT)
    worker.send(Abort("long"), Score("after", (ATTACHED,), ANSWERS))
    assert worker.wait_for(Scored, Failed, request_id="after").tokens


def test_keys_and_values_of_a_score_are_told_and_given_back(worker: WorkerUnderTest) -> None:
    worker.send(Score("told", (ATTACHED,), ANSWERS))
    worker.wait_for(Scored, request_id="told")
    assert worker.wait_for(MemoryReading).kv_cache > 0


def test_an_image_that_was_dropped_fails_its_request_alone(worker: WorkerUnderTest) -> None:
    worker.send(Score("before", (ATTACHED,), ANSWERS), DropImage("key"), DropImage("unknown"))
    worker.send(Score("dropped", (ATTACHED,), ANSWERS))
    worker.send(PutImage("key", PICTURE), Score("again", (ATTACHED,), ANSWERS))
    assert isinstance(worker.wait_for(Scored, Failed, request_id="before"), Scored)
    failed = worker.wait_for(Scored, Failed, request_id="dropped")
    assert failed.title == "An image of this conversation did not reach the model"
    assert isinstance(worker.wait_for(Scored, Failed, request_id="again"), Scored)


def test_a_prompt_that_is_too_long_fails_as_an_answer_does(worker: WorkerUnderTest) -> None:
    long = ATTACHED.__class__(ATTACHED.role, "word " * 3000, ATTACHED.attachments)
    worker.send(Score("long", (long,), ANSWERS), Generate("too", (long,), SHORT))
    scored, answered = (worker.wait_for(Failed, request_id=name) for name in ("long", "too"))
    assert (scored.kind, scored.title) == (answered.kind, answered.title)
