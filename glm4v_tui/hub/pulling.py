"""A model from the hub into the cache."""

from __future__ import annotations

import shutil
import threading
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.checkpoint import MAIN, inspect_checkpoint
from glm4v_tui.checkpoint.kind import CONFIG, kind_problem
from glm4v_tui.errors import CheckpointError
from glm4v_tui.hub.cache import PARTIAL, cache_folder, repository_folder
from glm4v_tui.hub.remote import RemoteFile, Repository, hub_json, look_up
from glm4v_tui.hub.selection import wanted_files
from glm4v_tui.hub.transfer import Stopped, Transfer
from glm4v_tui.paths import existing_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_AT_ONCE = 4
"""Files in the air: more than one, because a connection alone rarely fills the line."""
_LAST_WORDS_S = 1.0
"""What threads get to end by themselves after an interrupt."""
_SPARE_BYTES = 256 << 20
"""What a disk must have left afterwards."""
GIB = 1 << 30


class Pulling(msgspec.Struct, frozen=True):
    """What a download is about, told before it begins."""

    repository: Repository
    files: tuple[RemoteFile, ...]
    total: int
    """Bytes of all files."""
    here: int
    """Bytes of them that need not be fetched any more."""


class Pulled(msgspec.Struct, frozen=True):
    """A model that is whole in the cache."""

    folder: str
    repository: Repository
    fetched: int
    """Bytes that came over the network."""


def look_ahead(hub_id: str, revision: str = MAIN) -> Pulling:
    """Find out what a download would fetch, and whether it can be had and used at all.

    Only small settings files come over the network.

    Raises:
        CheckpointError: no such model, one of a kind that cannot be loaded, no room on the disk.
        Exception: whatever huggingface_hub raises; :func:`glm4v_tui.diagnosis.explain` puts it
            into words.
    """
    repository = look_up(hub_id, revision)
    files = wanted_files(
        repository, lambda name: hub_json(hub_id, name, revision=repository.commit)
    )
    problem = kind_problem(hub_json(hub_id, CONFIG, revision=repository.commit))
    if problem is not None:
        raise CheckpointError(problem.title, problem.body, problem.remedy)
    store = _Store(repository)
    here = sum(store.bytes_of(file) for file in files)
    total = sum(file.size for file in files)
    _require_room(store.folder, total - here)
    return Pulling(repository, files, total, here)


def pull(
    hub_id: str,
    revision: str = MAIN,
    *,
    on_start: Callable[[Pulling], None] = lambda _: None,
    on_bytes: Callable[[int, int], None] = lambda _done, _total: None,
    stop: threading.Event | None = None,
) -> Pulled:
    """Fetch what is not there yet of the files that this program needs; check all that comes.

    Args:
        hub_id: ``owner/name``.
        on_start: Told when it is known what there is to fetch.
        on_bytes: Told (bytes here, bytes in all), from several threads, one after the other.
        stop: Set it, and the download ends soon with :class:`Stopped`; so does an interrupt. What
            came stays.

    Raises:
        CheckpointError: no such model, no room, a damaged file.
        Stopped: it was ended.
        Exception: whatever huggingface_hub raises; :func:`glm4v_tui.diagnosis.explain` puts it
            into words.
    """
    pulling = look_ahead(hub_id, revision)
    on_start(pulling)
    store = _Store(pulling.repository)
    counter = _Counter(pulling.here, pulling.total, on_bytes)
    store.fetch(pulling.files, counter, stop or threading.Event())
    store.link(pulling.files)
    inspect_checkpoint(store.snapshot).require_loadable()
    return Pulled(str(store.snapshot), pulling.repository, counter.fetched)


class _Counter:
    """Adds up the bytes of several threads."""

    def __init__(self, here: int, total: int, on_bytes: Callable[[int, int], None]) -> None:
        self._lock = threading.Lock()
        self._here, self._total, self._on_bytes = here, total, on_bytes
        self._told = here
        self.fetched = 0
        on_bytes(here, total)

    def __call__(self, count: int) -> None:
        with self._lock:
            self._here += count
            self.fetched += max(0, count)
            self._on_bytes(self._here, self._total)


class _Store:
    """A repository's place in the cache."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.folder = repository_folder(repository.hub_id)
        self._blobs = self.folder / "blobs"
        self.snapshot = self.folder / "snapshots" / repository.commit

    def bytes_of(self, file: RemoteFile) -> int:
        """How much of a file is here. A blob of a wrong length is no use and is taken away."""
        blob = self._blobs / file.digest
        if self._is_whole(file):
            return file.size
        blob.unlink(missing_ok=True)
        begun = self._blobs / f"{file.digest}{PARTIAL}"
        return min(file.size, begun.stat().st_size) if begun.exists() else 0

    def _is_whole(self, file: RemoteFile) -> bool:
        """Whether nothing of a file is missing. A full partial file is still to be checked."""
        blob = self._blobs / file.digest
        return (blob.exists() and blob.stat().st_size == file.size) or self._is_named(file)

    def _is_named(self, file: RemoteFile) -> bool:
        """Whether a file lies in the snapshot itself, on a disk without links."""
        name = self.snapshot / file.name
        return not name.is_symlink() and name.is_file() and name.stat().st_size == file.size

    def fetch(
        self, files: Sequence[RemoteFile], on_bytes: Callable[[int], None], stop: threading.Event
    ) -> None:
        """Download into the blobs, several files at once."""
        self._blobs.mkdir(parents=True, exist_ok=True)
        locks = cache_folder() / ".locks" / self.folder.name
        transfer = Transfer(self._blobs, locks, self._url_of, on_bytes, stop)
        missing = {file.digest: file for file in files if not self._is_whole(file)}
        _run_all([partial(transfer.fetch, file) for file in missing.values()], stop)

    def link(self, files: Sequence[RemoteFile]) -> None:
        """Give the blobs their names, and the branch its commit: now all of it is there."""
        self.snapshot.mkdir(parents=True, exist_ok=True)
        for file in filter(lambda file: not self._is_named(file), files):
            _link(self._blobs / file.digest, self.snapshot / file.name)
        if self._repository.revision != self._repository.commit:
            ref = self.folder / "refs" / self._repository.revision
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(self._repository.commit, encoding="utf-8")

    def _url_of(self, name: str) -> str:
        from huggingface_hub import hf_hub_url

        return hf_hub_url(self._repository.hub_id, name, revision=self._repository.commit)


def _run_all(tasks: Sequence[Callable[[], None]], stop: threading.Event) -> None:
    """Do all, several at once; the first failure ends the others and is raised.

    The threads die with the process: an interrupt need not wait for a line that hangs.
    """
    waiting, errors = deque(tasks), list[BaseException]()

    def work() -> None:
        while waiting and not stop.is_set():
            try:
                waiting.popleft()()
            except IndexError:
                return  # another thread took the last one
            except BaseException as error:  # noqa: BLE001 - told to the thread that waits
                errors.append(error)
                stop.set()

    crew = [threading.Thread(target=work, daemon=True) for _ in range(_AT_ONCE)]
    for thread in crew:
        thread.start()
    try:
        for thread in crew:
            thread.join()
    except BaseException:
        stop.set()
        for thread in crew:
            thread.join(_LAST_WORDS_S / _AT_ONCE)
        raise
    if errors:
        raise errors[0]
    if stop.is_set():
        raise Stopped


def _link(blob: Path, name: Path) -> None:
    if name.is_symlink() or name.exists():
        if name.is_symlink() and name.readlink().name == blob.name:
            return
        name.unlink()
    try:
        name.symlink_to(Path("..", "..", "blobs", blob.name))
    except OSError:  # a disk without links: as huggingface_hub does there
        shutil.move(blob, name)


def _require_room(folder: Path, needed: int) -> None:
    there = existing_parent(folder)
    free = shutil.disk_usage(there).free
    if needed and free < needed + _SPARE_BYTES:
        raise CheckpointError(
            "The disk has no room for this model",
            f"{needed / GIB:.1f} GiB are to be fetched; {free / GIB:.1f} GiB are free in {there}.",
            "Make room (glm4v-tui model list shows what models take), or set HF_HOME to a folder "
            "on a larger disk.",
        )
