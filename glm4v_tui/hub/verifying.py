"""Every file of a model folder against its checksum, without the network.

In huggingface_hub's cache a file's content is named by its checksum. A folder that ``hf download
--local-dir`` filled has the checksums in ``.cache/huggingface/download``. For other folders only
the headers of the weight files tell what should be there.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.checkpoint import inspect_checkpoint
from glm4v_tui.hub.transfer import CHUNK, Stopped, seal_for

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_RECORDS = Path(".cache", "huggingface", "download")


class FileState(StrEnum):
    OK = "ok"
    DAMAGED = "damaged"
    UNKNOWN = "unknown"
    """No checksum is known for it."""


class VerifiedFile(msgspec.Struct, frozen=True):
    name: str
    nbytes: int
    state: FileState
    said: str = ""
    """What is wrong with it."""


def verify_folder(
    folder: Path,
    on_bytes: Callable[[int, int], None] = lambda _done, _total: None,
    stop: threading.Event | None = None,
) -> Iterator[VerifiedFile]:
    """Read every file once; each is told as soon as it is known.

    Args:
        on_bytes: Told (bytes read, bytes in all).

    Raises:
        Stopped: ``stop`` was set.
    """
    files = _files(folder)
    total = sum(_size(file) for file in files)
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        if stop is not None and stop.is_set():
            raise Stopped
        done += count
        on_bytes(done, total)

    for file in files:
        yield _verified(file, folder, tell)


def known_problems(folder: Path) -> dict[str, str]:
    """What headers, index and settings say is wrong: title -> remedy."""
    return {problem.title: problem.remedy for problem in inspect_checkpoint(folder).problems}


def _files(folder: Path) -> list[Path]:
    """Of the model itself: what lies in sub-folders is not loaded."""
    return sorted(
        file
        for file in folder.iterdir()
        if (file.is_file() or file.is_symlink()) and not file.name.startswith(".")
    )


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _verified(file: Path, folder: Path, tell: Callable[[int], None]) -> VerifiedFile:
    size = _size(file)
    if not file.is_file():
        return VerifiedFile(file.name, 0, FileState.DAMAGED, "its content is gone from the cache")
    digest = _digest_of(file, folder)
    if digest is None:
        tell(size)
        return VerifiedFile(file.name, size, FileState.UNKNOWN)
    seal = seal_for(digest, size)
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                seal.update(chunk)
                tell(len(chunk))
    except OSError as error:
        return VerifiedFile(
            file.name, size, FileState.DAMAGED, f"it cannot be read ({error.strerror})"
        )
    if seal.hexdigest() != digest:
        said = f"its checksum is {seal.hexdigest()[:12]}..., not {digest[:12]}..."
        return VerifiedFile(file.name, size, FileState.DAMAGED, said)
    return VerifiedFile(file.name, size, FileState.OK)


def _digest_of(file: Path, folder: Path) -> str | None:
    name = file.readlink().name if file.is_symlink() else _recorded(file, folder)
    return name if name is not None and _DIGEST.fullmatch(name) else None


def _recorded(file: Path, folder: Path) -> str | None:
    """What ``hf download`` wrote down: the commit, the checksum, the time; a line each."""
    try:
        lines = (folder / _RECORDS / f"{file.name}.metadata").read_text().splitlines()
    except OSError:
        return None
    return lines[1].strip() if len(lines) > 1 else None
