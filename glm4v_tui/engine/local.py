"""The engine whose model runs in a process on this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from glm4v_tui.engine.ending import AGAIN, Ending, ending_of
from glm4v_tui.engine.engine import Engine
from glm4v_tui.engine.process import WorkerProcess
from glm4v_tui.engine.protocol import (
    Abort,
    Consent,
    DropImage,
    Event,
    Failed,
    FailureKind,
    Finished,
    Generate,
    Loaded,
    LoadModel,
    Measure,
    PutImage,
    RgbImage,
    Score,
    Scored,
    WorkerExited,
    WorkerSilent,
)
from glm4v_tui.engine.wire import BrokenStreamError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path


class LocalEngine(Engine):
    """Starts a worker, watches it, starts another when it is needed again.

    Changing the model means a new process: only then does all of the old one's memory return.

    Args:
        log_file: Where the worker's own output goes.
        silent_after_s: Seconds without a sign of life before ``WorkerSilent`` is told.
        abort_within_s: Seconds an abort may take; a worker that takes longer is killed.
    """

    def __init__(
        self,
        log_file: Path | None = None,
        *,
        silent_after_s: float = 15.0,
        abort_within_s: float = 5.0,
    ) -> None:
        self._log_file = log_file
        self._silent_after_s = silent_after_s
        self._abort_within_s = abort_within_s
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._model: LoadModel | None = None
        self._worker: WorkerProcess | None = None
        self._starting = asyncio.Lock()
        self._changing = asyncio.Lock()
        """Held while one model makes place for another: a load that comes meanwhile waits."""
        self._is_loading = False
        self._requests: set[str] = set()
        self._killed_why = ""
        """Why this side has ended a worker by force; empty while it has not."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def worker_pid(self) -> int | None:
        return self._worker.pid if self._worker else None

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            yield event

    async def load(self, command: LoadModel) -> None:
        async with self._changing:
            await self._stop_worker("Another model was chosen")
            self._model = command
            await self._running_worker()

    def has_image(self, key: str) -> bool:
        return self._worker is not None and key in self._worker.image_keys

    async def put_image(self, key: str, image: RgbImage) -> None:
        (await self._running_worker()).send(PutImage(key, image))

    async def drop_image(self, key: str) -> None:
        if self.has_image(key) and self._worker is not None:
            self._worker.send(DropImage(key))

    async def measure(self, sizes: tuple[tuple[int, int], ...]) -> None:
        if self._worker is not None:
            self._worker.send(Measure(sizes))

    async def generate(self, request: Generate) -> None:
        await self._request(request)

    async def score(self, request: Score) -> None:
        await self._request(request)

    async def _request(self, request: Generate | Score) -> None:
        worker = await self._running_worker()
        self._requests.add(request.request_id)
        worker.send(request)

    async def abort(self, request_id: str) -> None:
        if request_id in self._requests and self._worker is not None:
            self._worker.send(Abort(request_id))
            self._spawn_task(self._enforce_abort(self._worker, request_id))

    async def consent(self, request_id: str, *, is_given: bool) -> None:
        if request_id in self._requests and self._worker is not None:
            self._worker.send(Consent(request_id, is_given))

    async def unload(self) -> None:
        async with self._changing:  # a load that has just begun is to end, not to go on afterwards
            await self._stop_worker("The model was unloaded")

    async def close(self) -> None:
        await self._stop_worker("The program ends")
        for task in list(self._tasks):
            task.cancel()
        self._events.put_nowait(None)

    # The worker's life ----------------------------------------------------------------------

    async def _running_worker(self) -> WorkerProcess:
        async with self._starting:
            if self._worker is None:
                self._worker = worker = await WorkerProcess.spawn(self._log_file)
                self._spawn_task(self._listen(worker))
                self._spawn_task(self._watch(worker))
                if self._model is not None:
                    self._is_loading = True
                    worker.send(self._model)
            return self._worker

    async def _stop_worker(self, why: str) -> None:
        async with self._starting:
            worker, self._worker = self._worker, None
        if worker is not None:
            self._fail_what_runs(FailureKind.WORKER_DIED, why, "", "")
            await worker.end()

    async def _listen(self, worker: WorkerProcess) -> None:
        try:
            while events := await worker.receive():
                for event in events:
                    self._take(worker, event)
            detail = await worker.wait()
        except BrokenStreamError as error:
            worker.kill()
            await worker.wait()
            detail = f"its messages became unreadable: {error}"
        last_words = await asyncio.to_thread(worker.last_words)
        self._note_end(worker, detail, last_words)

    async def _watch(self, worker: WorkerProcess) -> None:
        """Tell when nothing is heard: a stopped or hung process keeps its socket open."""
        loop = asyncio.get_running_loop()
        while worker is self._worker:
            silent_s = loop.time() - worker.heard_at
            if silent_s >= self._silent_after_s:
                self._events.put_nowait(WorkerSilent(silent_s))
            await asyncio.sleep(max(1.0, self._silent_after_s - silent_s))

    async def _enforce_abort(self, worker: WorkerProcess, request_id: str) -> None:
        await asyncio.sleep(self._abort_within_s)
        if worker is self._worker and request_id in self._requests:
            self._killed_why = f"It did not stop within {self._abort_within_s:g} s, and was ended."
            worker.kill()

    # What comes from it ---------------------------------------------------------------------

    def _take(self, worker: WorkerProcess, event: Event) -> None:
        if worker is not self._worker:
            return  # a worker that was replaced has nothing more to say
        match event:
            case Finished() | Scored() | Failed(request_id=str()):
                self._requests.discard(event.request_id)
            case Loaded() | Failed(request_id=None):
                self._is_loading = False
        self._events.put_nowait(event)

    def _note_end(self, worker: WorkerProcess, detail: str, last_words: str) -> None:
        if worker is self._worker:
            self._worker = None
            why, self._killed_why = self._killed_why, ""
            ending = ending_of(detail, last_words)
            if why:
                ending = Ending("The model's process ended", why, AGAIN)
            self._fail_what_runs(FailureKind.WORKER_DIED, *ending)
        self._events.put_nowait(WorkerExited(detail, expected=worker.ending_expected))

    def _fail_what_runs(self, kind: FailureKind, title: str, body: str, remedy: str) -> None:
        if self._is_loading:
            self._is_loading = False
            self._events.put_nowait(Failed(kind, title, body, remedy))
        for request_id in sorted(self._requests):
            self._events.put_nowait(Failed(kind, title, body, remedy, request_id))
        self._requests.clear()

    def _spawn_task(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
