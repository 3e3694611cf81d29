"""The engine with a real worker and a real model: what is promised when something goes wrong."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.engine.local import LocalEngine
from glm4v_tui.engine.protocol import (
    Failed,
    FailureKind,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    Loading,
    LoadModel,
    Measured,
    MemoryReading,
    RgbImage,
    Sampling,
    TextDelta,
    WorkerExited,
    WorkerSilent,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

PICTURE = RgbImage(60, 40, bytes(range(240)) * 30)
CAT = Attachment("/cat.png", "cat", 60, 40)
SHORT = Sampling(max_new_tokens=6, temperature=0)
LONG = Sampling(max_new_tokens=1500, temperature=0)
DEADLINE_S = 60


class Listener:
    """An engine, what it said, and waiting for what it will say."""

    def __init__(self, engine: LocalEngine) -> None:
        self.engine = engine
        self.heard = []
        self._news = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self):
        async for event in self.engine.events():
            self.heard.append(event)
            self._news.set()

    async def until(self, *kinds, request_id=None):
        """The first event of these kinds since the last call of ``forget``."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for event in self.of(*kinds):
                    if request_id in (None, getattr(event, "request_id", None)):
                        return event
                self._news.clear()
                await self._news.wait()

    def of(self, *kinds):
        return [event for event in self.heard if isinstance(event, kinds)]

    def forget(self):
        self.heard.clear()

    async def ask(self, request_id, sampling=SHORT):
        if not self.engine.has_image(CAT.key):
            await self.engine.put_image(CAT.key, PICTURE)
        question = Message(Role.USER, "What is it?", (CAT,))
        await self.engine.generate(Generate(request_id, (question,), sampling))

    async def answering(self, request_id="long"):
        """Be in the middle of an answer."""
        await self.ask(request_id, LONG)
        await self.until(TextDelta, request_id=request_id)

    @property
    def process(self) -> psutil.Process:
        assert self.engine.worker_pid
        return psutil.Process(self.engine.worker_pid)

    async def close(self):
        await self.engine.close()
        await asyncio.wait_for(self._listening, DEADLINE_S)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tiny_glm4v) -> AsyncIterator[Listener]:
    """One engine for the tests that need a loaded model; it survives what they do to its worker."""
    listener = Listener(LocalEngine(silent_after_s=1.0, abort_within_s=0.5))
    await listener.engine.load(model(tiny_glm4v))
    assert isinstance(await listener.until(Loaded, Failed), Loaded)
    yield listener
    await listener.close()


@pytest_asyncio.fixture(loop_scope="module")
async def loaded(shared, tiny_glm4v) -> Listener:
    """The shared engine with a model in memory and nothing to do."""
    shared.forget()
    await shared.ask("warm")
    await shared.until(Finished, Failed, request_id="warm")
    shared.forget()
    return shared


def model(folder: Path) -> LoadModel:
    return LoadModel(str(folder), "fp32", "cpu")


def ends(listener: Listener, request_id):
    return [e for e in listener.of(Finished, Failed) if e.request_id == request_id]


async def gone(process: psutil.Process):
    async with asyncio.timeout(10):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)


async def test_an_image_is_asked_about(loaded):
    assert loaded.engine.has_image(CAT.key)
    await loaded.engine.measure(((60, 40),))
    measured = await loaded.until(Measured)
    await loaded.ask("r")
    finished = await loaded.until(Finished, Failed, request_id="r")
    assert finished.reason is FinishReason.LENGTH
    assert finished.usage.image_tokens == measured.tokens[0]
    assert "".join(delta.text for delta in loaded.of(TextDelta))


async def test_an_abort_that_is_obeyed_keeps_the_worker(loaded):
    pid = loaded.engine.worker_pid
    await loaded.answering()
    await loaded.engine.abort("long")
    assert (await loaded.until(Finished, request_id="long")).reason is FinishReason.ABORT
    await asyncio.sleep(0.6)  # what is waited for is that nothing happens: the abort's deadline
    assert loaded.engine.worker_pid == pid
    assert not loaded.of(WorkerExited)


async def test_a_worker_that_is_killed_fails_its_request_and_is_started_again(loaded):
    await loaded.answering()
    await loaded.ask("waiting")
    first = loaded.process
    first.kill()
    exited = await loaded.until(WorkerExited)
    assert (exited.expected, "SIGKILL" in exited.detail) == (False, True)
    failures = loaded.of(Failed)
    assert [failed.request_id for failed in failures] == ["long", "waiting"]
    assert all(failed.kind is FailureKind.WORKER_DIED for failed in failures)
    assert all("memory" in failed.body and failed.remedy for failed in failures)
    assert loaded.heard.index(exited) > max(map(loaded.heard.index, failures))
    assert loaded.engine.worker_pid is None
    assert not loaded.engine.has_image(CAT.key)

    loaded.forget()
    await loaded.ask("again")
    await loaded.until(Finished, request_id="again")
    assert len(loaded.of(Loaded)) == 1
    assert loaded.process.pid != first.pid
    await gone(first)


async def test_a_worker_that_only_paused_is_told_and_goes_on(loaded):
    await loaded.answering()
    with paused(loaded.process):
        silent = await loaded.until(WorkerSilent)
        assert silent.seconds >= 1.0
        again = await until_another(loaded, WorkerSilent, silent)
        assert again.seconds > silent.seconds
    await loaded.engine.abort("long")
    assert (await loaded.until(Finished, request_id="long")).reason is FinishReason.ABORT
    assert not loaded.of(WorkerExited)


async def until_another(listener, kind, known):
    async with asyncio.timeout(DEADLINE_S):
        while not (others := [event for event in listener.of(kind) if event is not known]):
            await asyncio.sleep(0.02)
    return others[0]


@contextlib.contextmanager
def paused(process: psutil.Process):
    process.suspend()
    try:
        yield
    finally:
        process.resume()


async def test_an_abort_that_is_not_obeyed_ends_the_worker(loaded):
    await loaded.answering()
    process = loaded.process
    process.suspend()
    await loaded.engine.abort("long")
    failed = await loaded.until(Failed, request_id="long")
    assert failed.kind is FailureKind.WORKER_DIED
    assert "did not stop within" in failed.body
    assert "memory" not in failed.body  # nobody but this side has ended it
    assert not (await loaded.until(WorkerExited)).expected
    assert len(ends(loaded, "long")) == 1
    await gone(process)


async def test_unloading_ends_the_process_and_the_next_question_loads_again(loaded):
    await loaded.answering()
    process = loaded.process
    await loaded.engine.unload()
    assert not process.is_running()
    assert loaded.engine.worker_pid is None
    assert (await loaded.until(WorkerExited)).expected
    assert len(ends(loaded, "long")) == 1
    assert len(loaded.of(WorkerExited)) == 1
    await loaded.engine.unload()  # nothing is there: nothing happens
    await loaded.engine.measure(((1, 1),))
    await loaded.engine.abort("long")

    loaded.forget()
    await loaded.ask("again")
    assert await loaded.until(Finished, request_id="again")
    assert len(loaded.of(Loaded)) == 1


async def test_unloading_ends_a_load_that_has_just_begun(loaded, tiny_glm4v):
    await asyncio.gather(loaded.engine.load(model(tiny_glm4v)), loaded.engine.unload())
    assert loaded.engine.worker_pid is None
    assert workers() == []


async def test_another_model_fails_what_runs_and_replaces_the_process(loaded, tiny_glm4v):
    await loaded.answering()
    first = loaded.process
    await loaded.engine.load(model(tiny_glm4v))
    await loaded.until(Loaded)
    (failed,) = ends(loaded, "long")
    assert isinstance(failed, Failed)
    assert loaded.heard.index(failed) < loaded.heard.index(loaded.of(Loading)[0])
    assert not first.is_running()
    assert loaded.process.pid != first.pid
    silent_about_the_old = [e for e in loaded.of(TextDelta) if loaded.heard.index(e) > 0]
    assert all(
        loaded.heard.index(delta) < loaded.heard.index(failed) for delta in silent_about_the_old
    )


async def test_a_load_is_ended_once_by_another_load(loaded, tiny_glm4v):
    await loaded.engine.load(model(tiny_glm4v))
    await loaded.until(Loading, MemoryReading)
    await loaded.engine.load(model(tiny_glm4v))
    await loaded.until(Loaded)
    assert [type(event) for event in loaded.of(Loaded, Failed)] == [Failed, Loaded]
    assert loaded.of(Failed)[0].request_id is None


async def test_of_loads_that_come_together_the_last_one_stays(loaded, tiny_glm4v, tmp_path):
    names = ["first", "second", "last"]
    for name in names:
        (tmp_path / name).symlink_to(tiny_glm4v)
    await asyncio.gather(*(loaded.engine.load(model(tmp_path / name)) for name in names))
    loaded_model = (await loaded.until(Loaded)).model
    assert len(workers()) == 1
    assert [type(event) for event in loaded.of(Loaded, Failed)] == [Failed, Failed, Loaded]
    assert loaded_model.name == tiny_glm4v.name  # what the link leads to
    assert loaded.engine._model == model(tmp_path / "last")


def workers():
    return [
        child
        for child in psutil.Process().children()
        if child.is_running() and child.status() != psutil.STATUS_ZOMBIE
        if "glm4v_tui.engine.worker" in child.cmdline()
    ]


async def test_a_model_that_cannot_be_loaded_leaves_an_engine_that_can(
    loaded, tiny_glm4v, tmp_path
):
    await loaded.engine.load(model(tmp_path))
    failed = await loaded.until(Failed, Loaded)
    assert (failed.kind, failed.request_id) == (FailureKind.CHECKPOINT, None)
    loaded.forget()
    await loaded.engine.load(model(tiny_glm4v))
    assert isinstance(await loaded.until(Loaded, Failed), Loaded)


async def test_closing_leaves_no_process_and_ends_what_runs(tiny_glm4v, tmp_path):
    log = tmp_path / "log" / "worker.log"
    listener = Listener(LocalEngine(log))
    await listener.engine.load(model(tiny_glm4v))
    await listener.until(MemoryReading)
    process = listener.process
    await listener.close()
    assert not process.is_running()
    assert [event.request_id for event in listener.of(Failed)] == [None]
    assert log.exists()
    assert log.stat().st_mode & 0o077 == 0


async def test_closing_ends_a_worker_that_does_not_answer(tmp_path):
    listener = Listener(LocalEngine())
    await listener.engine.load(model(tmp_path))
    process = listener.process
    os.kill(process.pid, signal.SIGSTOP)
    await listener.close()
    assert not process.is_running()


async def test_an_engine_that_was_never_used_closes(tmp_path):
    listener = Listener(LocalEngine(tmp_path))
    await listener.close()
    assert listener.heard == []
