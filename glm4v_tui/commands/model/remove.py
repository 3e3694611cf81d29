"""``glm4v-tui model remove``: models and their quantized weights, out of the caches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glm4v_tui.checkpoint import saved
from glm4v_tui.commands.model.naming import cached, revision_of, saved_of
from glm4v_tui.commands.model.words import say, size
from glm4v_tui.errors import UsageError
from glm4v_tui.hub.removing import bytes_of_revision, remove_model, remove_revision
from glm4v_tui.paths import expanded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.checkpoint.saved import Saved
    from glm4v_tui.hub import CachedModel


def run(name: str, *, yes: bool, saved_only: bool) -> int:
    """Delete a model from the cache after asking, and the weights that were saved of it.

    Args:
        saved_only: Only these weights.

    Raises:
        UsageError: there is nothing of it, or nobody to ask.
        CheckpointError: it cannot be deleted.
    """
    _require_somebody(yes=yes)
    folder = expanded(name)
    kept = saved_of(folder) if folder.is_absolute() or folder.is_dir() else ()
    if kept or folder.is_dir():
        return _remove_saved_of_folder(name, kept, yes=yes)
    model, wanted = cached(name)
    kept = saved_of(model.folder)
    if wanted is not None:
        revision = revision_of(model, wanted)
        assert revision is not None
        kept = saved_of(revision.folder)
        if len(model.revisions) > 1 and not saved_only:
            return _remove_revision(model, wanted, kept, yes=yes)
    freed = 0
    if not saved_only:
        if not _agrees(f"Delete {model.hub_id} from the cache ({size(model.nbytes)})?", yes=yes):
            return _nothing()
        freed = remove_model(model)
    return _done(freed + _remove_saved(kept, yes=yes), had_any=not saved_only or bool(kept))


def _remove_revision(model: CachedModel, wanted: str, kept: Sequence[Saved], *, yes: bool) -> int:
    revision = revision_of(model, wanted)
    assert revision is not None
    alone = size(bytes_of_revision(model, revision))
    question = f"Delete the revision {wanted} of {model.hub_id} ({alone} that others lack)?"
    if not _agrees(question, yes=yes):
        return _nothing()
    freed = remove_revision(model, revision)
    return _done(freed + _remove_saved(kept, yes=yes))


def _remove_saved_of_folder(name: str, kept: Sequence[Saved], *, yes: bool) -> int:
    """A folder outside of the cache is the user's own; only what this program made of it goes."""
    if not kept:
        raise UsageError(
            "There is nothing to remove",
            f"{name} is a folder of yours, and no quantized weights of it are kept.",
            "Delete the folder itself by hand.",
        )
    say(f"{name} is a folder of yours and stays.")
    return _done(_remove_saved(kept, yes=yes))


def _remove_saved(kept: Sequence[Saved], *, yes: bool) -> int:
    freed = 0
    for one in kept:
        question = f"Delete its saved {one.precision} weights ({size(one.nbytes)})?"
        if _agrees(question, yes=yes):
            freed += saved.remove(Path(one.folder))
    return freed


def _agrees(question: str, *, yes: bool) -> bool:
    if yes:
        say(question.rstrip("?") + ".")
        return True
    return click.confirm(question, default=False)


def _require_somebody(*, yes: bool) -> None:
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            "Nobody is there to say yes",
            "Standard input is no terminal; nothing was done.",
            "Give --yes to go on without being asked.",
        )


def _nothing() -> int:
    say("Nothing was done.")
    return 1


def _done(freed: int, *, had_any: bool = True) -> int:
    say(f"{size(freed)} are free again." if had_any else "No quantized weights of it are kept.")
    return 0
