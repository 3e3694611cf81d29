"""The file that ``glm4v-tui batch`` writes: one line of JSON for each image, whole or absent.

A line goes to the system in one piece, so that a run that is killed leaves whole lines, and at most
one that a full disk has torn. Going on mends that: a torn line is cut off, and the lines of images
that failed are taken out, since those images are asked about again.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from glm4v_tui.errors import GlmError, UsageError
from glm4v_tui.paths import expanded
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Written = tuple[str | None, str]
"""What tells an image that has its line: path (None for private tasks) and SHA-256."""

STANDARD_OUTPUT = "-"
_HEAD = b'{"number": '
"""How every line begins."""


class Output:
    """Where the lines go.

    Args:
        name: As the user wrote it; ``-`` is standard output.
        made_with: Fields that every line has and that must not differ within one file.

    Raises:
        UsageError: the file is there already, is another run's, or cannot be written.
    """

    def __init__(
        self, name: str, made_with: dict[str, str], *, resume: bool = False, force: bool = False
    ) -> None:
        _check(name, resume=resume, force=force)
        self._name = plain_line(name)
        self.written: Counter[Written] = Counter()
        """Images that have their line."""
        self._is_file = False
        if name == STANDARD_OUTPUT:
            sys.stdout.flush()
            self._descriptor = sys.stdout.fileno()
            return
        path = expanded(name)
        self._descriptor = _opened(path)
        self._is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        if self._is_file:
            self._take_over(path, made_with, resume=resume, force=force)

    @property
    def can_go_on(self) -> bool:
        """Whether ``--resume`` would find what was written."""
        return self._is_file

    def write(self, record: dict[str, Any]) -> None:
        """Write a line; it is with the system when this returns.

        Raises:
            GlmError: it cannot be written; nothing of the line is left in a file then.
            BrokenPipeError: whoever reads standard output has left.
        """
        data = line_of(record)
        start = os.fstat(self._descriptor).st_size if self._is_file else 0
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            if self._is_file:
                os.ftruncate(self._descriptor, start)
            raise GlmError(
                "The output cannot be written",
                f"{self._name}: {error.strerror or error}",
                "Make room, then go on with --resume: what the model said is kept.",
            ) from error

    def close(self) -> None:
        if self._is_file:
            os.fsync(self._descriptor)
            os.close(self._descriptor)

    def _take_over(
        self, path: Path, made_with: dict[str, str], *, resume: bool, force: bool
    ) -> None:
        """Make sure that no other run writes the file, and find out what it holds."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(
                "Another run writes this file",
                self._name,
                "Wait for its end, or name another file.",
            ) from error
        if os.fstat(self._descriptor).st_size == 0:
            return
        if force:
            os.ftruncate(self._descriptor, 0)
        elif resume:
            self._mend(path, made_with)
        else:
            raise UsageError(
                "The output file is there already",
                self._name,
                "Go on with it (--resume), overwrite it (--force), or name another file.",
            )

    def _mend(self, path: Path, made_with: dict[str, str]) -> None:
        """Leave the lines of images that have a result, and note which those are."""
        kept, failed = 0, False
        for line, record in _records(path, self._name):
            kept += len(line)
            _require_same(record, made_with, self._name)
            if record.get("error") is None:
                self.written[record.get("path"), record["sha256"]] += 1
            else:
                failed = True
        if kept != os.fstat(self._descriptor).st_size:
            os.ftruncate(self._descriptor, kept)
        if failed:
            self._without_failed(path)

    def _without_failed(self, path: Path) -> None:
        """Put a file without failures in the place of this one, which is there until then."""
        unfinished = path.with_name(f".{path.name}.mended")
        try:
            with unfinished.open("wb") as file:
                for line, record in _records(path, self._name):
                    file.write(b"" if record.get("error") else line)
                file.flush()
                os.fsync(file.fileno())
            descriptor = _opened(unfinished)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.chmod(descriptor, stat.S_IMODE(os.fstat(self._descriptor).st_mode))  # noqa: PTH101
            unfinished.replace(path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise _unwritable(self._name, error.strerror or str(error)) from error
        os.close(self._descriptor)
        self._descriptor = descriptor


def line_of(record: dict[str, Any]) -> bytes:
    """A record as a line of JSON; names of files that are no UTF-8 are escaped."""
    try:
        return json.dumps(record, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(record).encode() + b"\n"


def _check(name: str, *, resume: bool, force: bool) -> None:
    if resume and force:
        raise UsageError(
            "--resume and --force contradict each other",
            "One goes on with the file, the other begins it anew.",
            "Give one of them.",
        )
    if resume and name == STANDARD_OUTPUT:
        raise UsageError(
            "Standard output cannot be gone on with",
            "What was written there cannot be read again.",
            "Leave out --resume: what the model said before is kept and not asked again.",
        )


def _opened(path: Path) -> int:
    if not path.name or path.is_dir():
        raise _unwritable(plain_line(str(path)), "it is a folder")
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except OSError as error:
        raise _unwritable(plain_line(str(path)), error.strerror or str(error)) from error


def _unwritable(name: str, reason: str) -> UsageError:
    return UsageError("The output cannot be written", f"{name}: {reason}", "Name another file.")


def _records(path: Path, name: str) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """The lines and what they say; a last one that is torn is left out.

    Raises:
        UsageError: a line is not of this program: this is some other file.
    """
    with path.open("rb") as file:
        torn = 0
        for number, line in enumerate(file, 1):
            record = _record(line)
            if torn or (record is None and not _is_torn(line)):
                raise _foreign(name, torn or number)
            if record is None:
                torn = number
            else:
                yield line, record


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    is_whole = isinstance(record, dict) and "sha256" in record and line.endswith(b"\n")
    return record if is_whole else None


def _is_torn(line: bytes) -> bool:
    """Whether it may be the beginning of a record; after a power cut it may be zeros as well."""
    return line.startswith(_HEAD) or _HEAD.startswith(line) or not line.strip(b"\0")


def _foreign(name: str, number: int) -> UsageError:
    return UsageError(
        "This file is none that batch has written",
        f"{name}: line {number} is no record of an image.",
        "Name another file; --force would overwrite this one.",
    )


def _require_same(record: dict[str, Any], made_with: dict[str, str], name: str) -> None:
    for field, value in made_with.items():
        if record.get(field) != value:
            raise UsageError(
                f"The output file was written with another {_FIELDS[field]}",
                name,
                "Name another file, or begin this one anew with --force.",
            )


_FIELDS = {
    "task": "task",
    "version": "version of the task",
    "asked": "question, other options or other settings",
    "model_id": "model or precision",
    "asks": "extent of what is asked (--labels-only)",
}
"""What may not differ within a file, as it is told to the user."""
