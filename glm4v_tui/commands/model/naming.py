"""What the user means by the name of a model in these commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.checkpoint import MAIN, hub_name
from glm4v_tui.checkpoint.saved import Saved, saved_weights
from glm4v_tui.errors import UsageError
from glm4v_tui.hub import cached_models
from glm4v_tui.paths import expanded, is_folder
from glm4v_tui.toml_file import did_you_mean

if TYPE_CHECKING:
    from glm4v_tui.hub import CachedModel, CachedRevision


def hub_id_of(name: str) -> tuple[str, str]:
    """The hub id and revision that are to be fetched.

    Raises:
        UsageError: the name is a folder, or no hub id.
    """
    if is_folder(expanded(name)):
        raise UsageError(
            "This model is here already",
            f"{name} is a folder.",
            f"glm4v-tui model verify {name} checks it.",
        )
    parts = hub_name(name)
    if parts is None:
        raise UsageError(
            "This is no hub id",
            f"{name!r} is not OWNER/NAME or OWNER/NAME@REVISION.",
            "Write for example zai-org/GLM-4.1V-9B-Thinking.",
        )
    return parts


def cached(name: str) -> tuple[CachedModel, str | None]:
    """The model of the cache that a name means, and the revision in it, if one is named.

    Raises:
        UsageError: the cache does not hold it.
    """
    hub_id, _ = hub_name(name) or (name, MAIN)
    models = {model.hub_id: model for model in cached_models()}
    if hub_id not in models:
        raise UsageError(
            "This model is not in the cache",
            f"{name}{did_you_mean(hub_id, models)}.",
            "glm4v-tui model list shows what is; glm4v-tui model pull fetches one.",
        )
    return models[hub_id], name.partition("@")[2] or None


def revision_of(model: CachedModel, wanted: str | None) -> CachedRevision | None:
    """The revision that is loaded under this name; None when nothing of it is here.

    Without a wish it is ``main``, else one that is whole, else any: what a download left.

    Raises:
        UsageError: there is no revision as wanted.
    """
    if wanted is not None:
        for revision in model.revisions:
            if wanted in revision.refs or revision.commit == wanted:
                return revision
        known = ", ".join(ref for one in model.revisions for ref in (*one.refs, one.commit[:12]))
        raise UsageError(
            "This revision is not in the cache",
            f"Of {model.hub_id} there is: {known or 'none'}.",
            f"glm4v-tui model pull {model.hub_id}@{wanted} fetches it.",
        )
    ranks = sorted(
        model.revisions, key=lambda one: (MAIN in one.refs, one.is_whole, bool(one.refs))
    )
    return ranks[-1] if ranks else None


def saved_of(folder: str | Path) -> tuple[Saved, ...]:
    """The quantized weights that were kept of a checkpoint's folder, or of those below it."""
    home = Path(folder).resolve()
    return tuple(one for one in saved_weights() if Path(one.source).resolve().is_relative_to(home))
