"""Models taken out of the cache. Nothing outside of it is ever touched."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.errors import CheckpointError
from glm4v_tui.hub.cache import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.hub.cache import CachedModel, CachedRevision


def remove_model(model: CachedModel) -> int:
    """Delete a repository from the cache, its partial downloads and locks included.

    Returns:
        The bytes that became free.

    Raises:
        CheckpointError: its folder is not one of the cache's own, or cannot be deleted.
    """
    folder, freed = _own_folder(model), model.nbytes
    _guarded(folder, lambda: shutil.rmtree(folder))
    shutil.rmtree(cache_folder() / ".locks" / folder.name, ignore_errors=True)
    return freed


def bytes_of_revision(model: CachedModel, revision: CachedRevision) -> int:
    """What deleting one revision would free: contents that no other revision has."""
    return _size(_only_in(model, revision))


def remove_revision(model: CachedModel, revision: CachedRevision) -> int:
    """Delete one revision, and of the contents those that no other has; the bytes freed.

    Raises: as :func:`remove_model`.
    """
    folder = _own_folder(model)
    blobs = _only_in(model, revision)
    freed = _size(blobs)
    _guarded(folder, lambda: shutil.rmtree(revision.folder))
    for blob in blobs:
        blob.unlink(missing_ok=True)
    for ref in revision.refs:
        (folder / "refs" / ref).unlink(missing_ok=True)
    return freed


def forget_damaged(folder: Path, name: str) -> None:
    """Take a damaged file of a snapshot away, so that the next download fetches it."""
    file = folder / name
    blobs = folder.parent.parent / "blobs"
    if file.is_symlink():
        (blobs / file.readlink().name).unlink(missing_ok=True)
    file.unlink(missing_ok=True)


def _own_folder(model: CachedModel) -> Path:
    folder = Path(model.folder)
    if folder.parent != cache_folder() or folder.is_symlink():
        raise CheckpointError(
            "This is not the cache's own",
            f"{folder} leads out of {cache_folder()}.",
            "Delete it by hand.",
        )
    return folder


def _guarded(folder: Path, deed: Callable[[], None]) -> None:
    try:
        deed()
    except OSError as error:
        raise CheckpointError(
            "The model cannot be removed", f"{folder}: {error}", "Check whose files they are."
        ) from error


def _only_in(model: CachedModel, revision: CachedRevision) -> set[Path]:
    others = [one for one in model.revisions if one.commit != revision.commit]
    return _blobs(model, revision) - {blob for one in others for blob in _blobs(model, one)}


def _blobs(model: CachedModel, revision: CachedRevision) -> set[Path]:
    """The contents that a revision's links name; always within the repository's folder."""
    blobs = Path(model.folder) / "blobs"
    links = (file for file in Path(revision.folder).rglob("*") if file.is_symlink())
    return {blobs / link.readlink().name for link in links}


def _size(blobs: set[Path]) -> int:
    return sum(blob.lstat().st_size for blob in blobs if blob.exists())
