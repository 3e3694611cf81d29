"""The model's process: ``python -m glm4v_tui.engine.worker FD``.

Commands come in and events go out over the stream socket that was inherited as FD. Four threads:

* the reader takes commands; an abort acts at once, the rest queues for the main thread;
* the main thread loads the model and answers, one command after another. What is not urgent is
  answered in between: several together, a step at a time, or one alone, which goes on later, so
  that an urgent request waits for no more than a step;
* the pulse tells the memory once a second, which is also the sign of life;
* the measurer tells what images cost, also while the main thread answers.

When the socket closes the interface is gone, and so is this process, whatever it is doing.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import queue
import signal
import socket
import sys
import threading
import traceback
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from glm4v_tui.engine import wire
from glm4v_tui.engine.open_requests import OpenRequests
from glm4v_tui.engine.protocol import (
    Abort,
    Command,
    Consent,
    ConsentWanted,
    DeviceMemory,
    DropImage,
    Event,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    Loading,
    LoadModel,
    Measure,
    MemoryReading,
    PutImage,
    Score,
    Shutdown,
    failure_of,
)
from glm4v_tui.inference.backend import Backend
from glm4v_tui.inference.environment import prepare_environment
from glm4v_tui.inference.failures import explain, is_fatal
from glm4v_tui.inference.lossy_stream import LossyStream

if TYPE_CHECKING:
    from collections.abc import Callable

_Queued = LoadModel | PutImage | DropImage | Generate | Score
"""What the main thread does, one after the other."""

_PULSE_S = 1.0
_CHUNK_BYTES = 1 << 18
_PR_SET_PDEATHSIG = 1
_EXIT_BROKEN_STREAM = 70
_EXIT_FAULT = 71


class _Once:
    """Asks until the answer is yes; then it stays so."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._ask = ask
        self.is_so = False

    def __call__(self) -> bool:
        self.is_so = self.is_so or self._ask()
        return self.is_so


class Worker:
    """Carries commands out and tells what became of them."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()
        self._ending = threading.Lock()
        """Nothing of a request is told after its end."""
        self._backend = Backend()
        self._requests = OpenRequests()
        self._commands: queue.SimpleQueue[_Queued] = queue.SimpleQueue()
        self._measures: queue.SimpleQueue[Measure] = queue.SimpleQueue()
        self._loaded = threading.Event()
        self._later: deque[Generate | Score] = deque()
        """Requests that are not urgent, and that are answered alone."""
        self._finishes_ahead = False

    def run(self) -> NoReturn:
        for work in (self._read, self._pulse, self._measure):
            threading.Thread(target=work, name=work.__name__.strip("_"), daemon=True).start()
        while True:
            match self._next():
                case None:
                    self._work_ahead()
                case LoadModel() as command:
                    self._finish_ahead()
                    self._load(command)
                case PutImage(key, image):
                    self._backend.put_image(key, image)
                case DropImage(key):
                    self._backend.drop_image(key)
                case Generate(urgent=False) | Score(urgent=False) as request:
                    self._take_ahead(request)
                case Generate() | Score() as request:
                    self._answer(request)

    def _next(self) -> _Queued | None:
        """The next command; None where there is none but other work."""
        try:
            return self._commands.get(block=not self._has_work_ahead)
        except queue.Empty:
            return None

    def _emit(self, event: Event) -> None:
        with self._sending:
            try:
                wire.send(self._sock, event)
            except OSError:
                os._exit(0)

    def _emit_of(self, request_id: str, event: Event) -> None:
        """Emit what belongs to a request that is answered with others, until its end is told."""
        with self._ending:
            if self._requests.is_open(request_id):
                self._emit(event)

    # The threads ----------------------------------------------------------------------------

    def _read(self) -> None:
        reader = wire.command_reader()
        try:
            while data := self._sock.recv(_CHUNK_BYTES):
                for command in reader.feed(data):
                    self._take(command)
        except ConnectionError:
            pass
        except wire.BrokenStreamError as error:
            print(f"The commands became unreadable: {error}", file=sys.stderr)  # noqa: T201
            os._exit(_EXIT_BROKEN_STREAM)
        os._exit(0)

    def _take(self, command: Command) -> None:
        match command:
            case Abort(request_id):
                with self._ending:
                    if self._requests.abort(request_id):
                        self._emit(Finished(request_id, FinishReason.ABORT))
            case Consent(request_id, is_given):
                self._requests.take_consent(request_id, is_given=is_given)
            case Measure():
                self._measures.put(command)
            case Shutdown():
                os._exit(0)
            case Generate(request_id) | Score(request_id):
                self._requests.put(request_id, urgent=command.urgent)
                self._commands.put(command)
            case LoadModel() | PutImage() | DropImage():
                self._commands.put(command)

    def _pulse(self) -> None:
        import psutil

        process = psutil.Process()
        pause = threading.Event()
        while not pause.wait(_PULSE_S):
            self._emit(
                MemoryReading(
                    process=process.memory_info().rss,
                    weights=self._backend.weight_bytes,
                    kv_cache=self._backend.kv_bytes,
                    devices=self._devices(),
                )
            )

    def _devices(self) -> tuple[DeviceMemory, ...]:
        try:
            return self._backend.device_memory()
        except Exception:  # noqa: BLE001 - a GPU in trouble must not end the sign of life
            return ()

    def _measure(self) -> None:
        while True:
            command = self._measures.get()
            self._loaded.wait()
            try:
                self._emit(self._backend.measure(command.sizes))
            except Exception:  # noqa: BLE001 - a cost that cannot be told is not worth a failure
                traceback.print_exc()

    # The main thread's work -----------------------------------------------------------------

    def _load(self, command: LoadModel) -> None:
        self._loaded.clear()
        self._emit(Loading("start"))
        try:
            model = self._backend.load(command, self._emit)
        except Exception as error:  # noqa: BLE001 - the libraries raise anything
            self._fail(error, "loading the model", None)
            self._backend.unload()
        else:
            self._loaded.set()
            self._emit(Loaded(model))

    def _answer(self, request: Generate | Score) -> bool:
        """Answer alone.

        Returns:
            Whether it has given way to something urgent, and waits to be gone on with.
        """
        name = request.request_id
        if not self._requests.start(name):
            return False
        should_stop = partial(self._requests.should_stop, name)
        gives_way = _Once(lambda: not request.urgent and self._is_interrupted())
        try:
            if isinstance(request, Generate):
                ended: Event = self._backend.generate(
                    request, self._emit, should_stop, self._ask, gives_way
                )
            else:
                ended = self._backend.score(
                    request, self._emit, lambda: should_stop() or gives_way(), self._ask
                )
        except Exception as error:  # noqa: BLE001 - the libraries raise anything
            self._requests.end(name)
            self._fail(error, "answering", name)
            self._backend.recover()
            return False
        was_stopped = isinstance(ended, Finished) and ended.reason is FinishReason.ABORT
        if was_stopped and gives_way.is_so and self._requests.rest(name):
            return True
        self._requests.end(name)
        self._emit(ended)
        return False

    def _ask(self, wanted: ConsentWanted) -> bool:
        self._requests.expect_consent(wanted.request_id)
        self._emit(wanted)
        return self._requests.consent(wanted.request_id)

    def _is_interrupted(self) -> bool:
        """Whether something waits that nothing else may delay."""
        return self._requests.has_urgent() and not self._finishes_ahead

    # What is not urgent -----------------------------------------------------------------------

    @property
    def _has_work_ahead(self) -> bool:
        return bool(self._later) or not self._backend.ahead.is_idle

    def _take_ahead(self, request: Generate | Score) -> None:
        name = request.request_id
        if self._requests.should_stop(name):
            return
        self._backend.ahead.keep(request)
        if not isinstance(request, Generate) or not self._backend.ahead.can_join(request):
            self._later.append(request)
        else:
            should_stop = partial(self._requests.should_stop, name)
            self._backend.ahead.add(request, partial(self._emit_of, name), should_stop)

    def _work_ahead(self) -> None:
        """A step of those that are answered together, or one that is answered alone.

        The latter first: likelihoods are asked for before the answer about the same image, and so
        the answers come to be written together.
        """
        if not self._later:
            self._write_together()
            return
        request = self._later.popleft()
        goes_on = False
        try:
            goes_on = self._answer(request)
        finally:
            if not goes_on:
                self._backend.ahead.let_go(request)
        if goes_on:
            self._later.appendleft(request)

    def _write_together(self) -> None:
        try:
            self._tell_ends(self._backend.ahead.work(self._is_interrupted))
        except Exception as error:  # noqa: BLE001 - what fails for one of them is told as its end
            for request in self._backend.ahead.forget():
                self._tell_ends([(request, error)])

    def _finish_ahead(self) -> None:
        """Before another model is loaded; what is urgent and waits behind that cannot hurry it."""
        self._finishes_ahead = True
        try:
            while self._has_work_ahead:
                self._work_ahead()
        finally:
            self._finishes_ahead = False

    def _tell_ends(self, ended: list[tuple[Generate, Finished | Exception | None]]) -> None:
        for request, end in ended:
            if end is None:  # it goes on alone
                self._later.append(request)
                continue
            self._backend.ahead.let_go(request)
            if not self._requests.end(request.request_id):
                continue
            if isinstance(end, Exception):
                self._fail(end, "answering", request.request_id)
            else:
                self._emit(end)

    def _fail(self, error: Exception, doing: str, request_id: str | None) -> None:
        trace = "".join(traceback.format_exception(error))
        print(trace, file=sys.stderr)  # noqa: T201
        self._emit(failure_of(explain(error, doing), request_id, trace))
        if is_fatal(error):
            os._exit(_EXIT_FAULT)


def _die_with_parent() -> None:
    """A second net below the closing socket: the system kills this process when its parent ends."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> NoReturn:
    descriptor = int(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    with contextlib.suppress(OSError, ValueError):
        faulthandler.enable()
    sys.stdout, sys.stderr = LossyStream(sys.stdout), LossyStream(sys.stderr)
    prepare_environment()
    Worker(socket.socket(fileno=descriptor)).run()


if __name__ == "__main__":
    main()
