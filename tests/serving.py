"""A server that somebody else wrote, as a process on loopback for as long as tests need it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request


def free_port():
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def running(command, log_file):
    """The process of a command, which may not be ready yet; what it says goes to a file."""
    with log_file.open("w") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def serving(command, health, log_file):
    """The same, once the server answers at an address."""
    with running(command, log_file) as process:
        if not _comes_up(process, health):
            raise AssertionError(f"the server did not start:\n{log_file.read_text()[-2000:]}")
        yield process


def _comes_up(process, health):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            opener.open(health, timeout=2).close()
            return True
        time.sleep(0.1)
    return False
