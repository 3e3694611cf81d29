"""Memory that runs out in the model's process, as its parent meets it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.engine.protocol import (
    Abort,
    Consent,
    ConsentWanted,
    Eased,
    Failed,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    MemoryReading,
    PutImage,
    RgbImage,
    Score,
    Scored,
)
from tests.engine.test_worker import ATTACHED, SHORT, WorkerUnderTest

LARGE = RgbImage(640, 480, bytes(range(240)) * (640 * 480 * 3 // 240))
ASKED = Message(Role.USER, "What is it?", (Attachment("/l.png", "large", 640, 480),))
USUAL_S = 2.0
"""Within which an abort works."""


@pytest.fixture
def short(tiny_glm4v: Path) -> Iterator[Any]:
    """Starts a worker whose memory runs out."""
    started: list[WorkerUnderTest] = []

    def start(shortage: str) -> WorkerUnderTest:
        worker = WorkerUnderTest(module="tests.short_worker", SHORTAGE=shortage)
        started.append(worker)
        assert isinstance(worker.load(tiny_glm4v), Loaded)
        worker.send(PutImage("large", LARGE))
        return worker

    yield start
    for worker in started:
        worker.end()


def rungs(worker: WorkerUnderTest) -> list[str]:
    return [event.rung for event in worker.heard if isinstance(event, Eased) and event.message]


def test_the_question_waits_for_consent_and_is_answered(short: Any) -> None:
    worker = short("prefill:3:0")
    worker.send(Generate("r", (ASKED,), SHORT, smaller_images="ask"))
    wanted = worker.wait_for(ConsentWanted, request_id="r")
    worker.wait_for(MemoryReading)  # it lives while it waits
    worker.send(Consent("another", is_given=False), Consent("r", is_given=True))
    finished = worker.wait_for(Finished, Failed, request_id="r")
    assert finished.reason is FinishReason.LENGTH
    assert rungs(worker) == ["free", "release", "smaller images"]
    worker.send(Generate("full", (ATTACHED,), SHORT))
    worker.wait_for(Finished, request_id="full")
    worker.send(Generate("again", (ASKED,), SHORT))
    again = worker.wait_for(Finished, request_id="again")
    assert again.usage.image_tokens == finished.usage.image_tokens
    assert wanted.tokens_less > 0


def test_a_no_leads_to_the_next_precision(short: Any) -> None:
    worker = short("prefill:3:0")
    worker.send(Generate("r", (ASKED,), SHORT, smaller_images="ask"))
    worker.wait_for(ConsentWanted)
    worker.send(Consent("r", is_given=False))
    assert isinstance(worker.wait_for(Finished, Failed, request_id="r"), Finished)
    assert rungs(worker) == ["free", "release", "precision"]
    model = next(event.model for event in worker.heard if isinstance(event, Eased) and event.model)
    assert model.precision == "bf16"


@pytest.mark.parametrize("rung", ["consent", "precision", "free"])
def test_an_abort_ends_it_in_the_usual_time(rung: str, short: Any) -> None:
    worker = short("decode:99:2" if rung == "free" else "prefill:99:0")
    mode = "ask" if rung == "consent" else "never"
    worker.send(Generate("r", (ASKED,), SHORT, smaller_images=mode))
    if rung == "consent":
        worker.wait_for(ConsentWanted)
    else:
        worker.until(lambda event: isinstance(event, Eased) and event.rung == rung)
    worker.send(Abort("r"))
    since = time.monotonic()
    finished = worker.wait_for(Finished, Failed, request_id="r")
    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.ABORT
    assert time.monotonic() - since < USUAL_S


def test_a_consent_that_nobody_waits_for_does_nothing(short: Any) -> None:
    worker = short("prefill:3:0")
    worker.send(Consent("r", is_given=True))
    worker.send(Generate("r", (ASKED,), SHORT, smaller_images="ask"))
    worker.wait_for(ConsentWanted)
    worker.send(Abort("r"))
    assert worker.wait_for(Finished, request_id="r").reason is FinishReason.ABORT


def test_answers_are_scored_all_the_same(short: Any) -> None:
    worker = short("prefill:2:0")
    worker.send(Score("s", (ASKED,), ("a cat", "a dog")))
    assert isinstance(worker.wait_for(Scored, Failed, request_id="s"), Scored)


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="limits are Linux's")
def test_where_memory_is_really_short_it_answers(tiny_glm4v: Path) -> None:
    """The system's own limit, and no hook of a test: lowered until it is felt."""
    worker = WorkerUnderTest()
    try:
        assert isinstance(worker.load(tiny_glm4v), Loaded)
        process = psutil.Process(worker.process.pid)
        side = 2000
        worker.send(Generate("before", (ATTACHED,), SHORT))
        worker.wait_for(Finished, request_id="before")
        for spare in range(60, 0, -4):
            # Another image each time: what was seen once is kept.
            worker.send(PutImage(f"{spare}", RgbImage(side, side, bytes(side * side * 3))))
            wide = Message(Role.USER, "?", (Attachment("/w.png", f"{spare}", side, side),))
            worker.send(Generate("settled", (ATTACHED,), SHORT))
            worker.wait_for(Finished, request_id="settled")
            limit = process.memory_info().vms + (spare << 20)
            process.rlimit(psutil.RLIMIT_AS, (limit, psutil.RLIM_INFINITY))
            worker.send(Generate(f"{spare}", (wide,), SHORT, smaller_images="always"))
            ended = worker.wait_for(Finished, Failed, request_id=f"{spare}")
            assert isinstance(ended, Finished), ended
            if rungs(worker):
                return
        raise AssertionError("the memory was never short")
    finally:
        worker.end()


@pytest.mark.parametrize("part", ["vision", "prefill"])
@pytest.mark.parametrize("times", [1, 6])
def test_of_several_that_are_answered_together_none_is_lost(
    part: str, times: int, short: Any
) -> None:
    """Once: fewer at a time. Six times: not even alone, so that one of them walks the ladder."""
    names = [f"ahead {number}" for number in range(5)]
    worker = short(f"{part}:{times}:0")
    worker.send(*(Generate(name, (ATTACHED,), SHORT, urgent=False) for name in names))
    ends = [worker.wait_for(Finished, Failed) for _ in names]
    assert sorted(end.request_id for end in ends) == names
    assert {type(end) for end in ends} == {Finished}
    assert len({worker.text_of(name) for name in names}) == 1
    assert rungs(worker) == ([] if times == 1 else ["free", "release"])
    worker.send(Generate("alone", (ATTACHED,), SHORT))
    worker.wait_for(Finished, request_id="alone")
    assert worker.text_of("alone") == worker.text_of(names[0])
    told = [e.request_id for e in worker.heard if isinstance(e, Finished | Failed)]
    assert sorted(told) == [*names, "alone"]
