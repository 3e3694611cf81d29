"""A model that is not on this host yet: whether the hub would give it, and the disk take it.

The one check that uses the network, and only for a model that was named.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from glm4v_tui.diagnosis import explain
from glm4v_tui.doctor.finding import Finding, Status
from glm4v_tui.paths import existing_parent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glm4v_tui.checkpoint import ModelSource
    from glm4v_tui.hub import Repository

GIB = 1 << 30
_PATIENCE_S = 6.0
_USUAL = 25 * GIB
"""Enough for a model of nine billion parameters, where its size is not known."""
_ADDRESS = re.compile(r"https?://[^\s/]+(/\S*)?")


def check(source: ModelSource) -> Iterator[Finding]:
    """Ask the hub for a model, and the cache's disk for its room."""
    wrong = _settings()
    if wrong is not None:
        yield wrong
        yield _room(None)
        return
    try:
        repository, needed = _asked(source)
    except Exception as error:  # noqa: BLE001 - the library raises dozens of classes
        told = explain(error, "asking the hub")
        detail = f"{told.title}: {told.body}" if told.body else told.title
        yield _finding("hub", Status.FAIL, detail, told.remedy)
        yield _room(None)
        return
    yield _answered(repository)
    yield _room(needed)


def lacking(source: ModelSource) -> list[str]:
    """What is wrong with the part of a model that is in the cache; empty where nothing is here."""
    from glm4v_tui.hub.cache import cached_model, repository_folder

    assert source.hub_id is not None
    folder = repository_folder(source.hub_id)
    if not folder.is_dir():
        return []
    model = cached_model(folder)
    of_it = [one for one in model.revisions if source.revision in (*one.refs, one.commit)]
    titles = [problem.title for one in of_it for problem in one.report.problems]
    return titles or ["a download was not finished"]


def _settings() -> Finding | None:
    """What the environment says that cannot work; huggingface_hub reads it the same way."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE"):
            return _finding(
                "hub",
                Status.FAIL,
                f"switched off by {name}={os.environ[name]}, and the model is not in the cache",
                f"Unset {name} to download it, or name a folder.",
            )
    endpoint = os.environ.get("HF_ENDPOINT", "")
    if endpoint and not _ADDRESS.fullmatch(endpoint):
        return _finding(
            "hub",
            Status.FAIL,
            f"HF_ENDPOINT={endpoint} is no address",
            "Set it like HF_ENDPOINT=https://hf-mirror.com, or unset it for huggingface.co.",
        )
    return None


def _asked(source: ModelSource) -> tuple[Repository, int]:
    """The repository, and the bytes of the files that would be fetched."""
    from glm4v_tui.hub import hub_json, look_up, wanted_files

    assert source.hub_id is not None
    repository = look_up(source.hub_id, source.revision, _PATIENCE_S)
    files = wanted_files(
        repository, lambda name: hub_json(repository.hub_id, name, repository.commit)
    )
    hub_json(repository.hub_id, "config.json", repository.commit)  # a gated model refuses here
    return repository, sum(file.size for file in files)


def _answered(repository: Repository) -> Finding:
    from huggingface_hub.constants import ENDPOINT

    if repository.real_id.lower() != repository.hub_id.lower():
        return _finding(
            "hub",
            Status.WARN,
            f"{repository.hub_id} is called {repository.real_id} now",
            f"The old name works as long as the hub leads it on; use {repository.real_id}.",
        )
    return _finding("hub", Status.OK, f"{ENDPOINT} has {repository.real_id}")


def _room(needed: int | None) -> Finding:
    from glm4v_tui.hub import cache_folder

    folder = cache_folder()
    free = shutil.disk_usage(existing_parent(folder)).free
    told = f"{folder}, {free / GIB:.1f} GiB free"
    if needed is None:
        if free > _USUAL:
            return _finding("hub cache", Status.OK, told)
        remedy = "A model of 9 billion parameters takes 20 GiB. Set HF_HOME to a larger disk."
        return _finding("hub cache", Status.WARN, told, remedy)
    told += f"; the model takes {needed / GIB:.1f} GiB"
    if free > needed:
        return _finding("hub cache", Status.OK, told)
    remedy = "Make room (glm4v-tui model list), or set HF_HOME to a folder on a larger disk."
    return _finding("hub cache", Status.FAIL, told, remedy)


def _finding(name: str, status: Status, detail: str, remedy: str = "") -> Finding:
    return Finding("model", name, status, detail, remedy)
