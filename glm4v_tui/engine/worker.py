"""The model's process: ``python -m glm4v_tui.engine.worker FD``.

Commands come in and events go out over the stream socket that was inherited as FD. Four threads:

* the reader takes commands; an abort acts at once, the rest queues for the main thread;
* the main thread loads the model and answers, one command after another;
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
from typing import NoReturn

from glm4v_tui.engine import wire
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

_Queued = LoadModel | PutImage | DropImage | Generate | Score
"""What the main thread does, one after the other."""

_PULSE_S = 1.0
_CHUNK_BYTES = 1 << 18
_PR_SET_PDEATHSIG = 1
_EXIT_BROKEN_STREAM = 70
_EXIT_FAULT = 71


class Requests:
    """Which requests wait or run, and which of them are to end. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._waiting: set[str] = set()
        self._running: str | None = None
        self._is_aborted = False
        self._consent: bool | None = None

    def put(self, request_id: str) -> None:
        with self._lock:
            self._waiting.add(request_id)

    def start(self, request_id: str) -> bool:
        """The main thread's turn to answer; False when the request was aborted before."""
        with self._lock:
            if request_id not in self._waiting:
                return False
            self._waiting.discard(request_id)
            self._running, self._is_aborted = request_id, False
            return True

    def end(self) -> None:
        with self._lock:
            self._running = None

    def abort(self, request_id: str) -> bool:
        """True when the request was waiting, so that it is at its end now."""
        with self._lock:
            if request_id == self._running:
                self._is_aborted = True
                self._lock.notify_all()
            was_waiting = request_id in self._waiting
            self._waiting.discard(request_id)
            return was_waiting

    def should_stop(self) -> bool:
        return self._is_aborted

    def expect_consent(self) -> None:
        """What was answered before is of no account for what is asked now."""
        with self._lock:
            self._consent = None

    def take_consent(self, request_id: str, *, is_given: bool) -> None:
        with self._lock:
            if request_id == self._running:
                self._consent = is_given
                self._lock.notify_all()

    def consent(self) -> bool:
        """Wait for the answer; an abort is a no."""
        with self._lock:
            self._lock.wait_for(lambda: self._is_aborted or self._consent is not None)
            return bool(self._consent) and not self._is_aborted


class Worker:
    """Carries commands out and tells what became of them."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()
        self._backend = Backend()
        self._requests = Requests()
        self._commands: queue.SimpleQueue[_Queued] = queue.SimpleQueue()
        self._measures: queue.SimpleQueue[Measure] = queue.SimpleQueue()
        self._loaded = threading.Event()

    def run(self) -> NoReturn:
        for work in (self._read, self._pulse, self._measure):
            threading.Thread(target=work, name=work.__name__.strip("_"), daemon=True).start()
        while True:
            match self._commands.get():
                case LoadModel() as command:
                    self._load(command)
                case PutImage(key, image):
                    self._backend.put_image(key, image)
                case DropImage(key):
                    self._backend.drop_image(key)
                case Generate() | Score() as request:
                    self._answer(request)

    def _emit(self, event: Event) -> None:
        with self._sending:
            try:
                wire.send(self._sock, event)
            except OSError:
                os._exit(0)

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
                if self._requests.abort(request_id):
                    self._emit(Finished(request_id, FinishReason.ABORT))
            case Consent(request_id, is_given):
                self._requests.take_consent(request_id, is_given=is_given)
            case Measure():
                self._measures.put(command)
            case Shutdown():
                os._exit(0)
            case Generate(request_id) | Score(request_id):
                self._requests.put(request_id)
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

    def _answer(self, request: Generate | Score) -> None:
        if not self._requests.start(request.request_id):
            return
        should_stop = self._requests.should_stop
        try:
            if isinstance(request, Generate):
                ended: Event = self._backend.generate(request, self._emit, should_stop, self._ask)
            else:
                ended = self._backend.score(request, self._emit, should_stop, self._ask)
        except Exception as error:  # noqa: BLE001 - the libraries raise anything
            self._requests.end()
            self._fail(error, "answering", request.request_id)
        else:
            self._requests.end()
            self._emit(ended)
            return
        self._backend.recover()

    def _ask(self, wanted: ConsentWanted) -> bool:
        self._requests.expect_consent()
        self._emit(wanted)
        return self._requests.consent()

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
