"""The requests that a worker has not ended yet."""

from __future__ import annotations

import threading


class OpenRequests:
    """Which requests wait or run, and which of them are to end. For several threads.

    Those that are answered together count as waiting until they have ended: an abort ends them at
    once, also while something else is computed that takes long.
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._waiting: set[str] = set()
        self._running: set[str] = set()
        self._aborted: set[str] = set()
        """Running ones that are to end."""
        self._urgent: set[str] = set()
        """Waiting ones that nothing else may delay."""
        self._consents: dict[str, bool] = {}
        """What was answered to the last question about a running one."""

    def put(self, request_id: str, *, urgent: bool = True) -> None:
        with self._lock:
            self._waiting.add(request_id)
            if urgent:
                self._urgent.add(request_id)

    def start(self, request_id: str) -> bool:
        """The main thread's turn to answer; False when the request was aborted before."""
        with self._lock:
            if request_id not in self._waiting:
                return False
            self._forget(request_id)
            self._running.add(request_id)
            return True

    def rest(self, request_id: str) -> bool:
        """Let a running request wait again; False when it is to end instead."""
        with self._lock:
            is_wanted = request_id in self._running and request_id not in self._aborted
            if is_wanted:
                self._running.discard(request_id)
                self._waiting.add(request_id)
            return is_wanted

    def end(self, request_id: str) -> bool:
        """The main thread is done with it; False when its end was told already."""
        with self._lock:
            was_open = self.is_open(request_id)
            self._forget(request_id)
            return was_open

    def abort(self, request_id: str) -> bool:
        """True when the request was waiting, so that it is at its end now."""
        with self._lock:
            if request_id in self._running:
                self._aborted.add(request_id)
                self._lock.notify_all()
            was_waiting = request_id in self._waiting
            self._waiting.discard(request_id)
            self._urgent.discard(request_id)
            return was_waiting

    def is_open(self, request_id: str) -> bool:
        """Whether its end has not been told yet."""
        return request_id in self._running or request_id in self._waiting

    def should_stop(self, request_id: str) -> bool:
        """Whether it is to end, or has ended."""
        return request_id in self._aborted or not self.is_open(request_id)

    def has_urgent(self) -> bool:
        """Whether anything waits that is not to be delayed."""
        return bool(self._urgent)

    def expect_consent(self, request_id: str) -> None:
        """What was answered before is of no account for what is asked now."""
        with self._lock:
            self._consents.pop(request_id, None)

    def take_consent(self, request_id: str, *, is_given: bool) -> None:
        with self._lock:
            if request_id in self._running:
                self._consents[request_id] = is_given
                self._lock.notify_all()

    def consent(self, request_id: str) -> bool:
        """Wait for the answer; an abort is a no."""
        with self._lock:
            self._lock.wait_for(lambda: request_id in self._aborted or request_id in self._consents)
            return request_id not in self._aborted and self._consents.pop(request_id)

    def _forget(self, request_id: str) -> None:
        self._consents.pop(request_id, None)
        for some in (self._waiting, self._running, self._aborted, self._urgent):
            some.discard(request_id)
