"""Past prompts, in a file to which several instances append.

One JSON object a line, each written by one ``write`` in append mode, so lines of two instances
never mix; a line that a crash or a full disk cut off is skipped. A file that has grown large
becomes the older one of two, so the space is bounded.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui import paths
from glm4v_tui.state import warning

if TYPE_CHECKING:
    from pathlib import Path

LENGTH = 500
"""Prompts that are read back."""
LONGEST_PROMPT = 20_000
"""Characters; a longer prompt is a pasted document, which nobody looks for in a history."""
FILE_BYTES = 1 << 20
"""Size at which a new file is begun."""


class _Line(msgspec.Struct, frozen=True):
    text: str


def history_file() -> Path:
    return paths.state_dir() / "prompts.jsonl"


def load_prompts(path: Path | None = None) -> tuple[list[str], str | None]:
    """Past prompts, oldest first and without repetitions in a row; and why some are missing."""
    file = path or history_file()
    prompts: list[str] = []
    reason = None
    for part in (_older(file), file):
        try:
            prompts += _parse(part.read_bytes())
        except FileNotFoundError:
            continue
        except OSError as error:
            reason = warning(part, "read", error)
    return prompts[-LENGTH:], reason


def append_prompt(prompt: str, path: Path | None = None) -> str | None:
    """Remember one prompt; the reason if that fails."""
    file = path or history_file()
    if not prompt.strip() or len(prompt) > LONGEST_PROMPT:
        return None
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _append(file, msgspec.json.encode(_Line(prompt)))
    except (OSError, UnicodeError) as error:
        return warning(file, "written", error)
    return None


def _older(path: Path) -> Path:
    return path.with_suffix(f".old{path.suffix}")


def _parse(data: bytes) -> list[str]:
    prompts: list[str] = []
    decoder = msgspec.json.Decoder(_Line)
    for line in data.splitlines():
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            text = decoder.decode(line).text
            if prompts[-1:] != [text]:
                prompts.append(text)
    return prompts


def _append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        is_torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        data = (b"\n" if is_torn else b"") + line + b"\n"
        if os.write(descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if size > FILE_BYTES:
            _rotate(path, descriptor)
    finally:
        os.close(descriptor)


def _rotate(path: Path, descriptor: int) -> None:
    """Begin a new file, unless another instance just did."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    if os.path.samestat(os.fstat(descriptor), path.stat()):
        path.replace(_older(path))
