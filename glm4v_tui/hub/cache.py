"""The cache of huggingface_hub on this host, in its layout.

``models--owner--name`` holds ``blobs`` (contents, named by their checksum), ``snapshots/COMMIT``
(links to them under their names) and ``refs/REVISION`` (the commit that a branch or tag was).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.checkpoint import CheckpointReport, inspect_checkpoint

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


class CachedModel(msgspec.Struct, frozen=True):
    """A repository in the cache."""

    hub_id: str
    folder: str
    nbytes: int
    """On this disk, partial downloads included."""
    partial: int
    """Bytes of downloads that were not finished."""
    revisions: tuple[CachedRevision, ...]

    @property
    def is_whole(self) -> bool:
        return any(revision.is_whole for revision in self.revisions)


def cache_folder() -> Path:
    """Where huggingface_hub keeps models."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def repository_folder(hub_id: str) -> Path:
    return cache_folder() / (_PREFIX + hub_id.replace("/", "--"))


def cached_models() -> tuple[CachedModel, ...]:
    """All models of the cache by name, whole or not."""
    try:
        folders = sorted(cache_folder().glob(f"{_PREFIX}*"))
    except OSError:
        return ()
    return tuple(cached_model(folder) for folder in folders if folder.is_dir())


def cached_model(folder: Path) -> CachedModel:
    hub_id = folder.name.removeprefix(_PREFIX).replace("--", "/", 1)
    sizes = {file: file.lstat().st_size for file in _files(folder)}
    partial = sum(size for file, size in sizes.items() if file.name.endswith(PARTIAL))
    return CachedModel(hub_id, str(folder), sum(sizes.values()), partial, tuple(_revisions(folder)))


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
