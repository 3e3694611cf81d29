"""One file of the hub, into the cache: it goes on where it stopped, and its checksum is counted.

huggingface_hub 2 begins a file anew after it was interrupted, because partial files of several
processes could mix where locks do not work (its pull request 4228). Here the partial file is
``CHECKSUM.incomplete`` beside the blobs, as the library named it before, and is held under the
library's own lock; should contents mix all the same, the checksum tells, and the file is fetched
anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.errors import CheckpointError
from glm4v_tui.hub.cache import PARTIAL

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from glm4v_tui.hub.remote import RemoteFile

CHUNK = 1 << 20
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that pass."""
_LONGEST_PAUSE_S = 120.0


class Stopped(Exception):  # noqa: N818 - nothing failed
    """The user wants it to end; what came stays for the next time."""


class Patience(msgspec.Struct, frozen=True):
    """How often a request is tried again when nothing came of it."""

    tries: int = 5
    first_pause_s: float = 1.0
    """Doubled from try to try, unless the hub says for how long."""


class _Unfit(Exception):  # noqa: N818
    """What came is not the file: begin anew."""


class Transfer:
    """Downloads the files of one repository; for several threads.

    Args:
        blobs: The folder of contents.
        locks: The folder of locks.
        url_of: The address of a file by its name.
        on_bytes: Told the bytes that came, or with a minus those that were no good.
        stop: Set when everybody is to end.
    """

    def __init__(
        self,
        blobs: Path,
        locks: Path,
        url_of: Callable[[str], str],
        on_bytes: Callable[[int], None],
        stop: threading.Event,
        patience: Patience | None = None,
    ) -> None:
        self._blobs, self._locks, self._url_of = blobs, locks, url_of
        self._on_bytes, self._stop, self._patience = on_bytes, stop, patience or Patience()

    def fetch(self, file: RemoteFile) -> None:
        """Bring a file to its place among the blobs.

        Raises:
            Stopped: the user ended it.
            CheckpointError: what came was not what the hub's checksum says, twice.
            Exception: whatever the library raises after all tries.
        """
        target = self._blobs / file.digest
        with self._locked(file.digest):
            if target.exists():
                return  # another process was first
            partial = self._blobs / f"{file.digest}{PARTIAL}"
            for _ in range(2):
                with partial.open("a+b") as out:
                    try:
                        self._fill(out, file)
                        break
                    except _Unfit:
                        self._begin_anew(out)
            else:
                raise CheckpointError(
                    f"{file.name} came damaged twice",
                    "Its checksum is not the one that the hub tells.",
                    "Start again later; behind a mirror or a proxy, check HF_ENDPOINT.",
                )
            partial.rename(target)

    @contextmanager
    def _locked(self, digest: str) -> Iterator[None]:
        """The lock that huggingface_hub takes for the same file; waits for its owner."""
        self._locks.mkdir(parents=True, exist_ok=True)
        with (self._locks / f"{digest}.lock").open("a+b") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    self._pause(0.2)
            yield

    def _fill(self, out: BinaryIO, file: RemoteFile) -> None:
        """Bring a partial file to its full length, and check it."""
        seal = seal_for(file.digest, file.size)
        out.seek(0)
        while chunk := out.read(CHUNK):
            seal.update(chunk)
            self._check_stop()
        failed = 0
        while out.tell() < file.size:
            before = out.tell()
            try:
                self._continue(out, file, seal)
            except Exception as error:
                failed = 0 if out.tell() > before else failed + 1
                pause = _pause_after(error, self._patience, failed)
                if pause is None or failed >= self._patience.tries:
                    raise
                self._pause(pause)
        out.flush()
        if out.tell() != file.size or seal.hexdigest() != file.digest:
            raise _Unfit
        os.fsync(out.fileno())

    def _continue(self, out: BinaryIO, file: RemoteFile, seal: Any) -> None:
        """Ask for what is missing, once."""
        from huggingface_hub import get_session
        from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT
        from huggingface_hub.utils import (  # type: ignore[attr-defined]
            build_hf_headers,
            hf_raise_for_status,
        )

        start = out.tell()
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        session: Any = get_session()
        with session.stream(
            "GET",
            self._url_of(file.name),
            headers=headers,
            timeout=HF_HUB_DOWNLOAD_TIMEOUT,
            follow_redirects=True,
        ) as response:
            if response.status_code >= 400:
                response.read()
                if response.status_code == 416:
                    raise _Unfit
                hf_raise_for_status(response)
            if start and response.status_code != 206:
                raise _Unfit  # the whole file comes, though the rest was asked for
            for chunk in response.iter_bytes():  # as it comes, so that little is lost
                self._check_stop()
                if out.tell() + len(chunk) > file.size:
                    raise _Unfit
                out.write(chunk)
                seal.update(chunk)
                self._on_bytes(len(chunk))

    def _begin_anew(self, out: BinaryIO) -> None:
        self._on_bytes(-out.seek(0, os.SEEK_END))
        out.truncate(0)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped


def seal_for(digest: str, size: int) -> Any:
    """The hash that a checksum of this length is of."""
    if len(digest) == 64:
        return hashlib.sha256()
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)  # as Git hashes contents


def _pause_after(error: Exception, patience: Patience, failed: int) -> float | None:
    """How long to wait before the next try; None when there is no use in one."""
    response = getattr(error, "response", None)
    if response is None:
        # httpx and its successor have one such base for connections that break.
        is_passing = any(kind.__name__ == "TransportError" for kind in type(error).__mro__)
        return patience.first_pause_s * 2 ** max(0, failed - 1) if is_passing else None
    if response.status_code not in _RETRIED:
        return None
    told = str(response.headers.get("Retry-After", ""))
    pause = float(told) if told.isdecimal() else patience.first_pause_s * 2 ** max(0, failed - 1)
    return pause if pause <= _LONGEST_PAUSE_S else None
