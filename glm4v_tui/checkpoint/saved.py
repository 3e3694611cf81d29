"""Quantized weights that were kept for the next start: what there is, read without a model library.

The model's process writes them (:mod:`glm4v_tui.inference.quantized.saved`), a folder each.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui import paths

if TYPE_CHECKING:
    from pathlib import Path

ABOUT = "glm4v-tui.json"
"""The file that tells of the folder it is in; written last."""


class Saved(msgspec.Struct, frozen=True):
    """Weights that were kept."""

    source: str
    """The checkpoint's folder."""
    precision: str
    dtype: str
    """What they are computed in."""
    made: float
    """Seconds since 1970."""
    folder: str = ""
    nbytes: int = 0
    """On disk."""


def saved_weights() -> tuple[Saved, ...]:
    """All that is kept, the newest first. A folder that cannot be read is left out."""
    found = []
    for file in home().glob(f"*/{ABOUT}"):
        try:
            found.append(read(file.parent))
        except (OSError, msgspec.DecodeError):
            continue
    return tuple(sorted(found, key=lambda one: -one.made))


def remove(folder: Path) -> int:
    """Delete kept weights; the bytes that became free. Other folders are left alone."""
    if folder.parent != home() or folder.is_symlink() or not folder.is_dir():
        return 0
    freed = _bytes_of(folder)
    shutil.rmtree(folder)
    return freed


def home() -> Path:
    """The folder of all kept weights."""
    return paths.cache_dir() / "weights"


def read(folder: Path) -> Saved:
    """What a folder says of itself.

    Raises:
        OSError: it cannot be read.
        msgspec.DecodeError: it says something else.
    """
    about = msgspec.json.decode((folder / ABOUT).read_bytes(), type=Saved)
    return msgspec.structs.replace(about, folder=str(folder), nbytes=_bytes_of(folder))


def _bytes_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
