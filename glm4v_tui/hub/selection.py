"""Which files of a repository this program needs."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from glm4v_tui.checkpoint.kind import CONFIG
from glm4v_tui.checkpoint.source import UNWANTED, WANTED
from glm4v_tui.checkpoint.weights import INDEX, SINGLE
from glm4v_tui.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.hub.remote import RemoteFile, Repository

_WEIGHTS = ".safetensors"


def wanted_files(
    repository: Repository, read_json: Callable[[str], dict[str, Any]]
) -> tuple[RemoteFile, ...]:
    """Settings, tokenizer and one set of safetensors, small files first.

    Args:
        read_json: Fetches a small file of the repository.

    Raises:
        CheckpointError: there is no model in it that this program could use.
    """
    files = {file.name: file for file in repository.files if _is_wanted(file.name)}
    if CONFIG not in files:
        raise _no_model(repository)
    shards = _shards(files, read_json)
    if not shards:
        raise _no_safetensors(repository)
    missing = [name for name in shards if name not in files]
    if missing:
        raise CheckpointError(
            "The repository is not whole",
            f"{repository.real_id}: its index names {missing[0]}, which is not there.",
            "Choose another revision (MODEL@REVISION), or tell its makers.",
        )
    small = [file for name, file in files.items() if not name.endswith(_WEIGHTS)]
    return (*sorted(small, key=lambda file: file.name), *(files[name] for name in shards))


def _is_wanted(name: str) -> bool:
    return any(fnmatchcase(name, one) for one in WANTED) and not any(
        fnmatchcase(name, one) for one in UNWANTED
    )


def _shards(files: dict[str, Any], read_json: Callable[[str], dict[str, Any]]) -> list[str]:
    """Names of the weight files that belong to the checkpoint; variants of them do not."""
    if INDEX in files:
        places = read_json(INDEX).get("weight_map")
        if isinstance(places, dict):
            return sorted({str(place) for place in places.values()})
    return [SINGLE] if SINGLE in files else []


def _no_model(repository: Repository) -> CheckpointError:
    if any(file.name.endswith(".gguf") for file in repository.files):
        return CheckpointError(
            "GGUF files are not supported",
            f"{repository.real_id} holds GGUF weights, which are made for llama.cpp.",
            "Name the original safetensors checkpoint.",
        )
    return CheckpointError(
        "This repository holds no model",
        f"{repository.real_id} has no {CONFIG}.",
        "Name one that holds config.json and safetensors files.",
    )


def _no_safetensors(repository: Repository) -> CheckpointError:
    pickles = [file.name for file in repository.files if file.name.endswith((".bin", ".pt"))]
    if pickles:
        return CheckpointError(
            "The weights are not safetensors",
            f"{repository.real_id} has only pickled weights ({pickles[0]}), and opening those can "
            "run any code.",
            "Choose a safetensors version of the checkpoint.",
        )
    return CheckpointError(
        "The weights are missing",
        f"{repository.real_id} has no {SINGLE} and no {INDEX}.",
        "Choose a repository or a revision (MODEL@REVISION) that has them.",
    )
