"""The cache of huggingface_hub on this host, in its layout.

``models--owner--name`` holds ``blobs`` (contents, named by their checksum), ``snapshots/COMMIT``
(links to them under their names) and ``refs/REVISION`` (the commit that a branch or tag was).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.checkpoint import MAIN, CheckpointReport, inspect_checkpoint
from glm4v_tui.paths import expanded

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "models--"
PARTIAL = ".incomplete"


class CachedRevision(msgspec.Struct, frozen=True):
    """A snapshot of a repository."""

    commit: str
    refs: tuple[str, ...]
    """Branches and tags that were this commit when they were fetched."""
    folder: str
    report: CheckpointReport

    @property
    def is_whole(self) -> bool:
        return self.report.is_loadable


@dataclass(frozen=True)
class CachedModel:
    """A repository that the cache has something of, whole or not.

    Name and folder cost nothing; what else there is to know is read when it is asked for, once.
    """

    hub_id: str
    folder: str

    @property
    def main(self) -> str | None:
        """The snapshot that ``main`` leads to, which is loaded for an id alone; None when not even
        that was begun."""
        try:
            commit = Path(self.folder, "refs", MAIN).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
        snapshot = Path(self.folder, "snapshots", commit)
        return str(snapshot) if commit and snapshot.is_dir() else None

    @cached_property
    def revisions(self) -> tuple[CachedRevision, ...]:
        return tuple(_revisions(Path(self.folder)))

    @property
    def nbytes(self) -> int:
        """On this disk, partial downloads included."""
        return sum(self._sizes.values())

    @property
    def partial(self) -> int:
        """Bytes of downloads that were not finished."""
        return sum(size for file, size in self._sizes.items() if file.name.endswith(PARTIAL))

    @property
    def is_whole(self) -> bool:
        return any(revision.is_whole for revision in self.revisions)

    @cached_property
    def _sizes(self) -> dict[Path, int]:
        return {file: file.lstat().st_size for file in _files(Path(self.folder))}


def cache_folder() -> Path:
    """Where huggingface_hub keeps models, by the environment that it reads itself.

    Importing the library for that takes longer than listing a cache of 200 models.
    """
    home = _path("HF_HOME", str(_path("XDG_CACHE_HOME", "~/.cache") / "huggingface"))
    return _path("HF_HUB_CACHE", os.environ.get("HUGGINGFACE_HUB_CACHE", str(home / "hub")))


def _path(variable: str, default: str) -> Path:
    return Path(os.path.expandvars(expanded(os.environ.get(variable, default))))


def repository_folder(hub_id: str) -> Path:
    return cache_folder() / (_PREFIX + hub_id.replace("/", "--"))


def cached_models() -> tuple[CachedModel, ...]:
    """All models of the cache by the names of its folders, whole or not."""
    try:
        folders = sorted(cache_folder().glob(f"{_PREFIX}*--*"))
    except OSError:
        return ()
    return tuple(cached_model(folder) for folder in folders if folder.is_dir())


def cached_model(folder: Path) -> CachedModel:
    return CachedModel(folder.name.removeprefix(_PREFIX).replace("--", "/", 1), str(folder))


def _revisions(folder: Path) -> Iterator[CachedRevision]:
    refs = _refs(folder / "refs")
    snapshots = folder / "snapshots"
    for snapshot in sorted(snapshots.iterdir()) if snapshots.is_dir() else ():
        if snapshot.is_dir():
            names = tuple(sorted(ref for ref, commit in refs.items() if commit == snapshot.name))
            yield CachedRevision(snapshot.name, names, str(snapshot), inspect_checkpoint(snapshot))


def _refs(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text(encoding="utf-8").strip()
        for file in _files(folder)
    }


def _files(folder: Path) -> list[Path]:
    """Regular files and links below a folder; links are not followed."""
    if not folder.is_dir():
        return []
    return [file for file in folder.rglob("*") if file.is_symlink() or file.is_file()]
