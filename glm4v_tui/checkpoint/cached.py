"""The models in the hub's cache on this host, told by the names of its folders alone."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class CachedModel(msgspec.Struct, frozen=True):
    """A repository that the cache has something of, whole or not."""

    hub_id: str
    folder: str | None
    """What its ``main`` has of files; None when not even that was begun."""


def hub_cache() -> Path:
    """Where huggingface_hub keeps repositories, by the environment that it reads itself."""
    base = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    home = Path(os.environ.get("HF_HOME", base / "huggingface"))
    return Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()


def cached_models() -> list[CachedModel]:
    """The models in this host's hub cache by their ids. Opens one tiny file for each of them, and
    does not import huggingface_hub, which takes longer than a cache of 200 models."""
    try:
        folders = sorted(entry for entry in hub_cache().glob("models--*--*") if entry.is_dir())
    except OSError:
        return []
    return [CachedModel(_hub_id(folder), _snapshot(folder)) for folder in folders]


def _hub_id(folder: Path) -> str:
    return folder.name.removeprefix("models--").replace("--", "/", 1)


def _snapshot(folder: Path) -> str | None:
    """The snapshot that ``main`` points to: the one that is loaded for an id alone."""
    try:
        commit = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    snapshot = folder / "snapshots" / commit
    return str(snapshot) if commit and snapshot.is_dir() else None
