"""What the hub tells of a repository, without its weights."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from glm4v_tui.checkpoint import MAIN
from glm4v_tui.errors import CheckpointError

_PATIENCE_S = 10.0
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""Both become names of files here, so nothing else may be in them."""


class RemoteFile(msgspec.Struct, frozen=True):
    """A file of a repository."""

    name: str
    size: int
    digest: str
    """64 hexadecimal digits: the content's SHA-256 (large files). 40: Git's hash of it as a blob.
    It is the file's name among the blobs of the cache."""


class Repository(msgspec.Struct, frozen=True):
    """A repository at one commit."""

    hub_id: str
    """As it was asked for."""
    real_id: str
    """As the hub calls it now."""
    revision: str
    commit: str
    files: tuple[RemoteFile, ...]


def look_up(hub_id: str, revision: str = MAIN, patience_s: float = _PATIENCE_S) -> Repository:
    """Ask the hub for the files of a model.

    Raises:
        CheckpointError: what answers is no hub.
        Exception: whatever huggingface_hub raises; :func:`glm4v_tui.diagnosis.explain` puts it
            into words.
    """
    from huggingface_hub import HfApi

    try:
        info: Any = HfApi().model_info(
            hub_id, revision=revision, files_metadata=True, timeout=patience_s
        )
        files = tuple(_file(sibling) for sibling in info.siblings or ())
        return Repository(hub_id, str(info.id), revision, _commit(info), files)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, _refused_names()):
            raise
        raise _no_hub(error) from error


def hub_json(hub_id: str, name: str, revision: str = MAIN) -> dict[str, Any]:
    """A small settings file. ``hf_hub_download`` would keep it, and try for half a minute.

    Raises: as :func:`look_up`.
    """
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        build_hf_headers,
        hf_raise_for_status,
    )

    response = get_session().get(
        hf_hub_url(hub_id, name, revision=revision),
        headers=build_hf_headers(),
        timeout=_PATIENCE_S,
        follow_redirects=True,
    )
    hf_raise_for_status(response)
    try:
        values = json.loads(response.content)
    except ValueError as error:
        raise CheckpointError(
            f"{name} cannot be read",
            f"{hub_id}: what came as {name} is no JSON ({error}).",
            "The repository is damaged, or a proxy answered in the hub's place; check HF_ENDPOINT.",
        ) from error
    return values if isinstance(values, dict) else {}


def _commit(info: Any) -> str:
    if not _COMMIT.fullmatch(str(info.sha)):
        raise ValueError("it names no commit")
    return str(info.sha)


def _file(sibling: Any) -> RemoteFile:
    digest = sibling.lfs.sha256 if sibling.lfs is not None else sibling.blob_id
    if sibling.size is None or not _DIGEST.fullmatch(str(digest)):
        raise ValueError(f"{sibling.rfilename} has no size or checksum")
    return RemoteFile(str(sibling.rfilename), int(sibling.size), str(digest))


def _refused_names() -> tuple[type[Exception], ...]:
    """ValueErrors of the library that are no fault of the hub."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    return (HFValidationError, HfHubHTTPError)


def _no_hub(error: Exception) -> CheckpointError:
    from huggingface_hub.constants import ENDPOINT

    return CheckpointError(
        "This is no model hub",
        f"{ENDPOINT} answers, but not as a hub does: {type(error).__name__}: {error}",
        "Check HF_ENDPOINT; a login page of the network may answer in the hub's place.",
    )
