"""The shape of a model by the name that a user gives it: a folder, a cached or known hub id, or
one whose headers the hub tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.checkpoint import TensorEntry, resolve_model
from glm4v_tui.errors import CheckpointError
from glm4v_tui.hub import hub_json
from glm4v_tui.paths import expanded, is_there
from glm4v_tui.plan.known import KNOWN, known_shape
from glm4v_tui.plan.reading import PROCESSOR, shape_from, shape_of

if TYPE_CHECKING:
    from glm4v_tui.plan.shape import Shape


def find_shape(name: str) -> Shape:
    """The shape of a model; uses the network only for a hub id that is neither here nor known.

    Args:
        name: A folder, a hub id, or a known model's name without its owner.

    Raises:
        NoModelError: the name is empty.
        CheckpointError: there is no such model, it is damaged, or the hub does not tell.
    """
    source = resolve_model(_with_owner(name))
    if source.folder is not None:
        shape = shape_of(Path(source.folder))
        # a folder of the cache is named by its commit
        return msgspec.structs.replace(shape, name=source.short_name) if source.hub_id else shape
    assert source.hub_id is not None
    return known_shape(source.hub_id) or _from_hub(source.hub_id, source.revision)


def _with_owner(name: str) -> str:
    """The hub id of a known model that is named without its owner; other names as they are."""
    ids = {hub_id.rpartition("/")[2].lower(): hub_id for hub_id in KNOWN}
    return name if is_there(expanded(name)) else ids.get(name.strip().lower(), name)


def _from_hub(hub_id: str, revision: str) -> Shape:
    """Read the headers of all weight files by range requests: some 100 KB of many GB."""
    try:
        config, processor, entries = _fetch(hub_id, revision)
    except Exception as error:  # the library raises dozens of classes for a hub out of reach
        raise CheckpointError(
            "The size of this model is not known",
            f"{hub_id} is not on this host, and the hub did not tell: "
            f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            "Check the connection (HF_ENDPOINT names a mirror), or name a folder. Known without "
            f"a network: {', '.join(KNOWN)}.",
        ) from error
    short = hub_id.rpartition("/")[2]
    return shape_from(short, config, processor, entries, f"headers that the hub told of {hub_id}")


def _fetch(
    hub_id: str, revision: str
) -> tuple[dict[str, Any], dict[str, Any], dict[str, TensorEntry]]:
    from huggingface_hub import get_safetensors_metadata
    from huggingface_hub.errors import EntryNotFoundError

    config = hub_json(
        hub_id, "config.json", revision
    )  # first: where there is no hub it fails at once
    try:
        processor = hub_json(hub_id, PROCESSOR, revision)
    except EntryNotFoundError:
        processor = {}
    files = get_safetensors_metadata(hub_id, revision=revision).files_metadata.values()
    return (
        config,
        processor,
        {
            name: TensorEntry(
                info.dtype, tuple(info.shape), (info.data_offsets[0], info.data_offsets[1])
            )
            for file in files
            for name, info in file.tensors.items()
        },
    )
