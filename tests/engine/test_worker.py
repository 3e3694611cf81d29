"""The model's process as its parent sees it: a real one, over a real socket."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.engine import wire
from glm4v_tui.engine.protocol import (
    Abort,
    Command,
    DropImage,
    Event,
    Failed,
    FailureKind,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    Loading,
    LoadModel,
    Measure,
    Measured,
    MemoryReading,
    Progress,
    PutImage,
    ResultForm,
    RgbImage,
    Sampling,
    Score,
    Scored,
    Shutdown,
    TextDelta,
    error_of,
)
from glm4v_tui.errors import EngineError
from glm4v_tui.result_mark import RESULT_MARK
from tests.checkpoints import make_llava

SIZE = (200, 120)
PICTURE = RgbImage(*SIZE, bytes(range(240)) * (SIZE[0] * SIZE[1] * 3 // 240))
ATTACHED = Message(Role.USER, "What is it?", (Attachment("/p.png", "key", *SIZE),))
LONG = Sampling(max_new_tokens=1500, temperature=0)
SHORT = Sampling(max_new_tokens=6, temperature=0)
DEADLINE_S = 60.0


class WorkerUnderTest:
    """A worker process and this side of its socket."""

    def __init__(
        self, log: Path | None = None, module: str = "glm4v_tui.engine.worker", **env: str
    ) -> None:
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(DEADLINE_S)
        output = open(log or os.devnull, "ab")  # noqa: SIM115, PTH123 - closed below
        with theirs, output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)} | env,
            )
        self._reader = wire.event_reader()
        self._events: list[Event] = []
        self.heard: list[Event] = []

    def send(self, *commands: Command) -> None:
        for command in commands:
            wire.send(self.sock, command)

    def next(self) -> Event:
        while not self._events:
            data = self.sock.recv(1 << 16)
            assert data, f"the worker ended with {self.process.wait(5)}"
            self._events = self._reader.feed(data)
        event = self._events.pop(0)
        self.heard.append(event)
        return event

    def until(self, wanted: Callable[[Event], bool]) -> Event:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if wanted(event := self.next()):
                return event
        raise AssertionError(f"not heard within {DEADLINE_S:.0f} s: {self.heard[-20:]}")

    def wait_for(self, *kinds: type[Event], request_id: str | None = None) -> Any:
        return self.until(
            lambda event: (
                isinstance(event, kinds)
                and (request_id is None or getattr(event, "request_id", None) == request_id)
            )
        )

    def load(self, folder: Path) -> Any:
        self.send(LoadModel(str(folder), "fp32", "cpu"), PutImage("key", PICTURE))
        return self.wait_for(Loaded, Failed)

    def text_of(self, request_id: str) -> str:
        return "".join(
            event.text
            for event in self.heard
            if isinstance(event, TextDelta) and event.request_id == request_id
        )

    def end(self) -> None:
        self.sock.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def start() -> Iterator[Callable[..., WorkerUnderTest]]:
    started: list[WorkerUnderTest] = []

    def start_one(log: Path | None = None) -> WorkerUnderTest:
        started.append(WorkerUnderTest(log))
        return started[-1]

    yield start_one
    for worker in started:
        worker.end()


@pytest.fixture(scope="module")
def worker(tiny_glm4v: Path) -> Iterator[WorkerUnderTest]:
    """A worker with a model, for tests that leave it usable, as it must be left."""
    one = WorkerUnderTest()
    assert isinstance(one.load(tiny_glm4v), Loaded)
    yield one
    one.end()


def test_loading_is_told_from_start_to_end(worker: WorkerUnderTest, tiny_glm4v: Path) -> None:
    loaded = next(event for event in worker.heard if isinstance(event, Loaded))
    before = worker.heard[: worker.heard.index(loaded)]
    told = [event for event in before if not isinstance(event, MemoryReading)]
    assert told[0] == Loading("start")
    weights = [event for event in told if isinstance(event, Loading) and event.stage == "weights"]
    size = sum(file.stat().st_size for file in tiny_glm4v.glob("*.safetensors"))
    assert weights[0].done == 0
    assert weights[-1].done == weights[-1].total
    assert 0.9 * size < weights[-1].total < size
    assert [event.done for event in weights] == sorted(event.done for event in weights)
    assert loaded.model.name == tiny_glm4v.name
    assert (loaded.model.model_type, loaded.model.device) == ("glm4v", "cpu")
    assert loaded.model.weight_bytes >= weights[-1].total
    # The sign of life comes while torch is still being imported.
    assert any(isinstance(event, MemoryReading) for event in before)


def test_two_requests_are_answered_in_order(worker: WorkerUnderTest) -> None:
    worker.send(Generate("a", (ATTACHED,), SHORT), Generate("b", (ATTACHED,), SHORT))
    worker.wait_for(Finished, request_id="b")
    ends = [e.request_id for e in worker.heard if isinstance(e, Finished)]
    assert ends == ["a", "b"]
    assert worker.text_of("a") == worker.text_of("b") != ""


def test_an_abort_ends_the_running_answer_and_the_next_one_runs(worker: WorkerUnderTest) -> None:
    worker.send(Generate("long", (ATTACHED,), LONG), Generate("next", (ATTACHED,), SHORT))
    worker.wait_for(TextDelta, request_id="long")
    started = time.monotonic()
    worker.send(Abort("long"))
    finished = worker.wait_for(Finished, request_id="long")
    assert time.monotonic() - started < 1.0
    assert finished.reason is FinishReason.ABORT
    assert 0 < finished.usage.completion_tokens < 1500
    assert worker.text_of("long")
    assert worker.wait_for(Finished, request_id="next").reason is FinishReason.LENGTH


def test_an_abort_ends_a_queued_request_at_once(worker: WorkerUnderTest) -> None:
    worker.send(Generate("first", (ATTACHED,), LONG), Generate("queued", (ATTACHED,), SHORT))
    worker.wait_for(TextDelta, request_id="first")
    worker.send(Abort("queued"))
    finished = worker.wait_for(Finished)
    assert (finished.request_id, finished.reason) == ("queued", FinishReason.ABORT)
    worker.send(Abort("first"), Abort("unknown"), Abort("queued"))
    worker.wait_for(Finished, request_id="first")
    worker.send(Generate("after", (ATTACHED,), SHORT))
    worker.wait_for(Finished, request_id="after")
    ends = [e.request_id for e in worker.heard if isinstance(e, Finished | Failed)]
    assert ends.count("queued") == ends.count("first") == 1


def test_what_is_not_urgent_is_answered_together(worker: WorkerUnderTest) -> None:
    """The short one ends first although it came last; texts are those of answers alone."""
    few = Sampling(max_new_tokens=40, temperature=0)
    worker.send(Generate("alone", (ATTACHED,), few))
    worker.wait_for(Finished, request_id="alone")
    worker.send(
        Generate("ahead 1", (ATTACHED,), few, urgent=False),
        Generate("ahead 2", (ATTACHED,), few, urgent=False),
        Generate("ahead 3", (ATTACHED,), SHORT, urgent=False),
    )
    ends = [worker.wait_for(Finished).request_id for _ in range(3)]
    assert ends[0] == "ahead 3"
    assert worker.text_of("ahead 1") == worker.text_of("ahead 2") == worker.text_of("alone")
    assert worker.text_of("alone").startswith(worker.text_of("ahead 3"))


def test_an_urgent_request_comes_first_and_the_others_go_on(worker: WorkerUnderTest) -> None:
    half = Sampling(max_new_tokens=300, temperature=0)
    names = [f"behind {number}" for number in range(4)]
    worker.send(*(Generate(name, (ATTACHED,), half, urgent=False) for name in names))
    worker.wait_for(TextDelta, request_id=names[3])
    before = len(worker.heard)
    worker.send(Generate("urgent", (ATTACHED,), SHORT))
    worker.wait_for(Finished, request_id="urgent")
    told = [e for e in worker.heard[before:] if isinstance(e, TextDelta)]
    first = next(i for i, e in enumerate(told) if e.request_id == "urgent")
    assert all(e.request_id == "urgent" for e in told[first:])  # alone, and at full speed
    done = {worker.wait_for(Finished).request_id for _ in names}
    assert done == set(names)
    assert len({worker.text_of(name) for name in names}) == 1


def test_aborts_act_on_the_right_one_of_several(worker: WorkerUnderTest) -> None:
    worker.send(*(Generate(f"of {n}", (ATTACHED,), LONG, urgent=False) for n in range(3)))
    worker.wait_for(TextDelta, request_id="of 2")
    worker.send(Abort("of 1"))
    assert worker.wait_for(Finished).request_id == "of 1"
    worker.send(Generate("urgent long", (ATTACHED,), LONG))
    worker.wait_for(TextDelta, request_id="urgent long")
    worker.send(Abort("of 0"))  # which rests
    ended = worker.wait_for(Finished)
    assert (ended.request_id, ended.reason) == ("of 0", FinishReason.ABORT)
    worker.send(Abort("urgent long"))
    assert worker.wait_for(Finished).request_id == "urgent long"
    worker.send(Abort("of 2"))
    ended = worker.wait_for(Finished)
    assert (ended.request_id, ended.reason) == ("of 2", FinishReason.ABORT)
    worker.send(Generate("after several", (ATTACHED,), SHORT))
    worker.wait_for(Finished, request_id="after several")
    ends = [e.request_id for e in worker.heard if isinstance(e, Finished | Failed)]
    assert [ends.count(f"of {n}") for n in range(3)] == [1, 1, 1]
    last = {e.request_id: i for i, e in enumerate(worker.heard) if isinstance(e, TextDelta)}
    end = {e.request_id: i for i, e in enumerate(worker.heard) if isinstance(e, Finished)}
    assert all(last[f"of {n}"] < end[f"of {n}"] for n in range(3))


def test_images_stay_for_those_that_were_asked_before(worker: WorkerUnderTest) -> None:
    worker.send(PutImage("passing", PICTURE))
    shown = Message(Role.USER, "What is it?", (Attachment("/p.png", "passing", *SIZE),))
    worker.send(
        *(Generate(f"seen {n}", (shown,), SHORT, urgent=False) for n in range(2)),
        Score("scored", (shown,), ("red", "green"), urgent=False),
        DropImage("passing"),
    )
    kinds = [type(worker.wait_for(Finished, Failed, Scored)) for _ in range(3)]
    assert sorted(kind.__name__ for kind in kinds) == ["Finished", "Finished", "Scored"]
    worker.send(Generate("unseen", (shown,), SHORT, urgent=False))
    assert "did not reach the model" in worker.wait_for(Failed, request_id="unseen").title


def test_failures_of_one_of_several_are_its_own(worker: WorkerUnderTest) -> None:
    too_long = Message(Role.USER, "word " * 3000)
    worker.send(
        Generate("well", (ATTACHED,), SHORT, urgent=False),
        Generate("bad form", (ATTACHED,), SHORT, ResultForm('{"not": {}}'), urgent=False),
        Generate("too long", (too_long,), SHORT, urgent=False),
    )
    ends = {}
    for _ in range(3):
        event = worker.wait_for(Finished, Failed)
        ends[event.request_id] = event
    assert isinstance(ends["well"], Finished)
    assert ends["bad form"].title == "The answer cannot be bound to the task's form"
    assert ends["too long"].kind is FailureKind.USAGE


def test_likelihoods_that_are_not_urgent_give_way(worker: WorkerUnderTest) -> None:
    """Many answers take long; the urgent request is answered in the middle of it."""
    answers = tuple(f"answer number {number}" for number in range(200))
    worker.send(Score("slow", (ATTACHED,), answers, urgent=False))
    worker.wait_for(Progress, request_id="slow")
    worker.send(Generate("quick", (ATTACHED,), SHORT))
    assert worker.wait_for(Finished, Scored).request_id == "quick"
    scored = worker.wait_for(Scored, Finished)
    assert isinstance(scored, Scored)
    assert len(scored.tokens) == 200


@pytest.mark.parametrize("sampling", [
    Sampling(max_new_tokens=300, temperature=0),
    Sampling(max_new_tokens=300, temperature=1.5, seed=5),
])  # fmt: skip
def test_an_answer_that_can_only_be_alone_gives_way_and_goes_on(
    start: Any, tmp_path: Path, sampling: Sampling
) -> None:
    """Transformers' own loop, which other families are answered by, answers one at a time."""
    worker = start()
    assert worker.load(make_llava(tmp_path / "llava")).model.at_once == 1
    worker.send(Generate("undisturbed", (ATTACHED,), sampling))
    undisturbed = worker.wait_for(Finished, request_id="undisturbed")
    worker.send(Generate("behind", (ATTACHED,), sampling, urgent=False))
    for name in ("first", "second"):
        worker.wait_for(TextDelta, request_id="behind")
        worker.send(Generate(name, (ATTACHED,), Sampling(6, temperature=1.0, seed=1)))
        assert worker.wait_for(Finished).request_id == name
    ended = worker.wait_for(Finished)
    assert (ended.request_id, ended.reason) == ("behind", undisturbed.reason)
    assert ended.usage == undisturbed.usage
    assert worker.text_of("behind") == worker.text_of("undisturbed")


def test_an_answer_that_gave_way_can_be_aborted(start: Any, tmp_path: Path) -> None:
    worker = start()
    worker.load(make_llava(tmp_path / "llava"))
    worker.send(Generate("behind", (ATTACHED,), LONG, urgent=False))
    worker.wait_for(TextDelta, request_id="behind")
    worker.send(Generate("urgent", (ATTACHED,), Sampling(40, temperature=0)))
    worker.wait_for(TextDelta, request_id="urgent")
    worker.send(Abort("behind"))
    ended = worker.wait_for(Finished)
    assert (ended.request_id, ended.reason) == ("behind", FinishReason.ABORT)
    worker.wait_for(Finished, request_id="urgent")
    worker.send(Generate("after", (ATTACHED,), SHORT))
    worker.wait_for(Finished, request_id="after")
    assert sum(e.request_id == "behind" for e in worker.heard if isinstance(e, Finished)) == 1


def test_what_is_urgent_and_waits_for_another_model_hurries_nothing(
    start: Any, tmp_path: Path
) -> None:
    """The answer before the other model is ended first; it cannot give way to what comes behind."""
    worker = start()
    folder = make_llava(tmp_path / "llava")
    worker.load(folder)
    worker.send(
        Generate("before", (ATTACHED,), Sampling(60, temperature=0), urgent=False),
        LoadModel(str(folder), "fp32", "cpu"),
        Generate("urgent", (ATTACHED,), SHORT),
    )
    ended = [worker.wait_for(Finished, Failed, Loaded) for _ in range(3)]
    assert [getattr(event, "request_id", "loaded") for event in ended] == [
        "before", "loaded", "urgent",
    ]  # fmt: skip


def test_a_model_that_is_loaded_anew_first_answers_what_waits(start: Any, tiny_glm4v: Path) -> None:
    worker = start()
    assert worker.load(tiny_glm4v).model.at_once > 4
    worker.send(
        *(Generate(f"before {n}", (ATTACHED,), SHORT, urgent=False) for n in range(2)),
        LoadModel(str(tiny_glm4v), "fp32", "cpu"),
    )
    kinds = [type(worker.wait_for(Finished, Failed, Loaded)) for _ in range(3)]
    assert kinds == [Finished, Finished, Loaded]


def test_a_form_binds_an_answer_and_a_wrong_one_fails_alone(worker: WorkerUnderTest) -> None:
    form = ResultForm('{"enum": ["a \\"b\\"", "größe"]}')
    hot = Sampling(max_new_tokens=40, temperature=1.5, seed=7)
    worker.send(
        Generate("bound", (ATTACHED,), hot, form),
        Generate("wrong", (ATTACHED,), hot, ResultForm('{"not": {}}')),
        Generate("reasons", (ATTACHED,), hot, ResultForm(form.schema, 5)),
        Generate("free", (ATTACHED,), SHORT),
    )
    finished = worker.wait_for(Finished, request_id="bound")
    assert finished.reason is FinishReason.STOP
    assert json.loads(worker.text_of("bound").removesuffix("</answer>")) in ('a "b"', "größe")
    failed = worker.wait_for(Failed, request_id="wrong")
    assert failed.title == "The answer cannot be bound to the task's form"
    assert isinstance(error_of(failed), EngineError)
    assert worker.wait_for(Finished, request_id="reasons").reason is FinishReason.STOP
    assert RESULT_MARK in worker.text_of("reasons")
    assert worker.wait_for(Finished, request_id="free").reason is FinishReason.LENGTH


def test_images_are_measured_while_an_answer_is_written(worker: WorkerUnderTest) -> None:
    worker.send(Generate("busy", (ATTACHED,), LONG))
    worker.wait_for(TextDelta, request_id="busy")
    worker.send(Measure((SIZE, (1000, 500))))
    measured = worker.wait_for(Measured, Finished)
    assert isinstance(measured, Measured)
    assert measured.sizes == (SIZE, (1000, 500))
    assert len(measured.tokens) == len(measured.seen) == 2
    worker.send(Abort("busy"))
    finished = worker.wait_for(Finished, request_id="busy")
    assert finished.usage.image_tokens == measured.tokens[0]


def test_a_failed_request_leaves_the_model_usable(worker: WorkerUnderTest) -> None:
    too_long = Message(Role.USER, "word " * 3000)
    worker.send(Generate("long prompt", (too_long,), SHORT))
    failed = worker.wait_for(Failed, request_id="long prompt")
    assert failed.kind is FailureKind.USAGE
    assert "2,048" in failed.body
    assert "Traceback" in failed.trace
    worker.send(Generate("after", (ATTACHED,), SHORT))
    assert worker.wait_for(Finished, Failed, request_id="after").reason is FinishReason.LENGTH


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="limits are Linux's")
def test_memory_running_out_fails_one_request_only(worker: WorkerUnderTest) -> None:
    process = psutil.Process(worker.process.pid)
    in_use = process.memory_info().vms
    wide = RgbImage(2000, 2000, bytes(2000 * 2000 * 3))
    huge = Message(Role.USER, "?", (Attachment("/w.png", "wide", 2000, 2000),) * 6)
    worker.send(PutImage("wide", wide), Generate("before", (ATTACHED,), SHORT))
    worker.wait_for(Finished, request_id="before")
    process.rlimit(psutil.RLIMIT_AS, (in_use + (60 << 20), psutil.RLIM_INFINITY))
    try:
        worker.send(Generate("huge", (huge,), SHORT))
        failed = worker.wait_for(Failed, Finished, request_id="huge")
    finally:
        process.rlimit(psutil.RLIMIT_AS, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
    assert isinstance(failed, Failed)
    assert failed.kind is FailureKind.OUT_OF_MEMORY, failed
    assert failed.remedy
    assert "Tried in vain" in failed.body
    worker.send(Generate("after", (ATTACHED,), SHORT))
    assert isinstance(worker.wait_for(Finished, Failed, request_id="after"), Finished)


def test_memory_is_told_with_weights_and_cache(worker: WorkerUnderTest) -> None:
    worker.send(Generate("x", (ATTACHED,), SHORT))
    worker.wait_for(Finished, request_id="x")
    reading = worker.wait_for(MemoryReading)
    assert reading.process > 50 << 20
    assert reading.weights > 500_000
    assert reading.kv_cache > 0
    assert reading.devices == ()


def test_an_interrupt_key_does_not_reach_the_model(worker: WorkerUnderTest) -> None:
    worker.process.send_signal(signal.SIGINT)
    worker.send(Generate("still", (ATTACHED,), SHORT))
    assert isinstance(worker.wait_for(Finished, Failed, request_id="still"), Finished)


# Starting, and failing to ------------------------------------------------------------------------


def test_a_request_before_any_model_fails_plainly(start: Any) -> None:
    worker = start()
    worker.send(Generate("early", (ATTACHED,), SHORT))
    failed = worker.wait_for(Failed, request_id="early")
    assert "No model is loaded" in failed.title


@pytest.fixture
def damaged(tiny_glm4v: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "damaged"
    shutil.copytree(tiny_glm4v, folder)
    return folder


def test_a_missing_shard_is_named_and_the_worker_lives(start: Any, tmp_path: Path) -> None:
    from tests.checkpoints import make_glm4v

    folder = make_glm4v(tmp_path / "sharded", shards=2)
    (folder / "model-00002-of-00002.safetensors").unlink()
    worker = start()
    failed = worker.load(folder)
    assert isinstance(failed, Failed)
    assert failed.kind is FailureKind.CHECKPOINT
    assert failed.request_id is None
    assert "model-00002-of-00002.safetensors is missing" in failed.title
    worker.send(Generate("x", (ATTACHED,), SHORT))
    assert "No model is loaded" in worker.wait_for(Failed, request_id="x").title


def test_a_corrupt_shard_is_named_and_a_good_model_loads_after(
    start: Any, damaged: Path, tiny_glm4v: Path
) -> None:
    """All of it on a full disk: the traceback that the log does not take stops nothing."""
    file = damaged / "model.safetensors"
    file.write_bytes(b"\xff" * 64 + file.read_bytes()[64:])
    worker = start(Path("/dev/full"))
    failed = worker.load(damaged)
    assert isinstance(failed, Failed)
    assert failed.kind is FailureKind.CHECKPOINT
    assert "model.safetensors is damaged" in failed.title
    assert isinstance(worker.load(tiny_glm4v), Loaded)
    worker.send(Generate("x", (ATTACHED,), SHORT))
    assert isinstance(worker.wait_for(Finished, Failed, request_id="x"), Finished)


# Ending ------------------------------------------------------------------------------------------


def ends_within(worker: WorkerUnderTest, seconds: float) -> int:
    return worker.process.wait(seconds)


def test_it_ends_when_the_interface_is_gone(start: Any) -> None:
    worker = start()
    worker.sock.close()
    assert ends_within(worker, 10.0) == 0  # most of it Python's own start


def test_it_ends_in_the_middle_of_loading(start: Any, tiny_glm4v: Path) -> None:
    worker = start()
    worker.send(LoadModel(str(tiny_glm4v)))
    worker.wait_for(MemoryReading)
    worker.sock.close()
    assert ends_within(worker, 10.0) == 0


def test_it_ends_in_the_middle_of_an_answer(start: Any, tiny_glm4v: Path) -> None:
    worker = start()
    worker.load(tiny_glm4v)
    worker.send(Generate("long", (ATTACHED,), LONG))
    worker.wait_for(TextDelta)
    worker.sock.shutdown(socket.SHUT_RDWR)
    assert ends_within(worker, 10.0) == 0


def test_it_ends_when_told(start: Any) -> None:
    worker = start()
    worker.send(Shutdown())
    assert ends_within(worker, 10.0) == 0


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x03\xc1\xc1\xc1"])
def test_unreadable_commands_end_it_with_a_line_in_the_log(
    start: Any, tmp_path: Path, garbage: bytes
) -> None:
    log = tmp_path / "worker.log"
    worker = start(log)
    worker.sock.sendall(garbage)
    assert ends_within(worker, 10.0) == 70
    assert "commands became unreadable" in log.read_text()


def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """Even when somebody else still holds the other end of the socket."""
    ours, theirs = socket.socketpair()
    script = (
        "import subprocess, sys, time\n"
        "fd = int(sys.argv[1])\n"
        "worker = subprocess.Popen([sys.executable, '-m', 'glm4v_tui.engine.worker', str(fd)],"
        " pass_fds=[fd])\n"
        "print(worker.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with ours, theirs:
        parent = subprocess.Popen(
            [sys.executable, "-c", script, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        wire.send(ours, LoadModel("no/such/model/here"))
        ours.settimeout(DEADLINE_S)
        assert ours.recv(1 << 16)  # it has come up
        parent.kill()
        parent.wait()
        parent.stdout.close()
        _gone, alive = psutil.wait_procs([worker], timeout=3)
        assert alive == []
