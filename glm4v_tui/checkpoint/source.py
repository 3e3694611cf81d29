"""What a user means by the name of a model: a folder of this host, or a repository of the hub."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from glm4v_tui.checkpoint.report import inspect_checkpoint
from glm4v_tui.errors import CheckpointError, NoModelError
from glm4v_tui.paths import expanded, is_folder, is_there

_HUB_ID = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([A-Za-z0-9][\w./-]*))?")
MAIN = "main"
"""The branch that a hub id without a revision means."""

WANTED = ("*.json", "*.safetensors", "*.jinja", "*.txt", "tokenizer.model", "*.tiktoken", "*.spm")
"""What is fetched from a repository: weights, settings, tokenizer; no code and no pickles."""
UNWANTED = ("*/*", "consolidated*.safetensors")
"""Not fetched: sub-folders, and second copies of the weights in their makers' own layout."""


class ModelSource(msgspec.Struct, frozen=True):
    """Where a model is to come from. At least one of ``folder`` and ``hub_id`` is set."""

    name: str
    """What the user wrote."""
    folder: str | None = None
    """The folder that holds it now; None when it has to be downloaded first."""
    hub_id: str | None = None
    revision: str = MAIN
    """Of the hub: a branch, a tag or a commit."""

    @property
    def short_name(self) -> str:
        """The last part of the name, for a status bar."""
        return (self.hub_id or str(self.folder)).rstrip("/").rpartition("/")[2]


def is_hub_id(name: str) -> bool:
    """Whether a name has the form of a hub id, ``owner/name`` or ``owner/name@revision``."""
    return hub_name(name) is not None


def resolve_model(name: str) -> ModelSource:
    """Find out what a name means, without using the network.

    A name is a folder when there is one, or when it is written like a path; else ``owner/name``
    or ``owner/name@revision`` is a hub id, and its folder is the one in the local cache when that
    is whole.

    Raises:
        NoModelError: the name is empty.
        CheckpointError: it is a path to nothing, or neither a path nor a hub id.
    """
    name = name.strip()
    if not name:
        raise NoModelError(
            "No model is chosen", "", "Name a model folder or a hub id with --model."
        )
    path = expanded(name)
    if is_folder(path):
        return ModelSource(name, folder=str(path.resolve()))
    if os.path.lexists(path):
        raise _not_a_folder(path)
    parts = hub_name(name)
    if parts is None:
        raise _nothing_there(name, path)
    hub_id, revision = parts
    return ModelSource(name, cached_snapshot(hub_id, revision), hub_id, revision)


def hub_name(name: str) -> tuple[str, str] | None:
    """The hub id and the revision that a name means; None when it is written like a path."""
    found = _HUB_ID.fullmatch(name.strip())
    if found is None or _is_written_like_a_path(name.strip().partition("@")[0]):
        return None
    if ".." in (found[2] or ""):
        return None  # Git has no such names, and refs become paths
    return found[1], found[2] or MAIN


def cached_snapshot(hub_id: str, revision: str = MAIN) -> str | None:
    """The folder of a repository in huggingface_hub's cache, when all of it is there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            hub_id,
            revision=revision,
            local_files_only=True,
            allow_patterns=list(WANTED),
            ignore_patterns=list(UNWANTED),
        )
    except (LocalEntryNotFoundError, OSError, ValueError):
        return None
    return folder if inspect_checkpoint(Path(folder)).is_loadable else None


def _is_written_like_a_path(name: str) -> bool:
    first = name.partition("/")[0]
    return (
        name.startswith(("/", "./", "../", "~"))
        or name.endswith("/")
        or name.count("/") > 1
        or ("/" in name and Path(first).is_dir())
    )


def _not_a_folder(path: Path) -> CheckpointError:
    if path.is_symlink() and not is_there(path):
        return CheckpointError(
            "This link points nowhere", f"{path} leads to {path.readlink()}.", "Check the path."
        )
    return CheckpointError(
        "A model is a folder, not a file",
        f"{path} is a file.",
        f"Name the folder that holds config.json: {path.resolve().parent}",
    )


def _nothing_there(name: str, path: Path) -> CheckpointError:
    if not _is_written_like_a_path(name):
        return CheckpointError(
            "This names no model",
            f"{name!r} is neither a folder here nor a hub id.",
            "A hub id has an owner and a name, such as zai-org/GLM-4.1V-9B-Thinking.",
        )
    nearest = next(parent for parent in path.absolute().parents if is_there(parent))
    return CheckpointError(
        "There is no such model folder",
        f"{path} does not exist; {nearest} does.",
        "Check the path, or name a hub id such as zai-org/GLM-4.1V-9B-Thinking.",
    )
