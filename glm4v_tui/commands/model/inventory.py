"""``glm4v-tui model list``: the models of this host's cache, and what fits."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.checkpoint.saved import Saved, saved_weights
from glm4v_tui.commands.model.fitting import Fitting
from glm4v_tui.commands.model.words import note, parameters, say, size
from glm4v_tui.hub import cache_folder, cached_models
from glm4v_tui.paths import existing_parent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glm4v_tui.hub import CachedModel, CachedRevision

_UNKNOWN_KINDS = ("Unknown kind of model", "This model needs code of its own")


class ListedRevision(msgspec.Struct, frozen=True):
    commit: str
    refs: tuple[str, ...]
    folder: str
    whole: bool
    usable: bool
    """False for kinds of models that this program does not load."""
    problems: tuple[str, ...]
    model_type: str
    parameters: int
    fits: tuple[str, ...] | None
    """Precisions, the most exact first; None when unknown."""
    saved: tuple[Saved, ...]
    """Quantized weights that were kept of it."""


class ListedModel(msgspec.Struct, frozen=True):
    hub_id: str
    folder: str
    nbytes: int
    partial: int
    """Bytes of downloads that were not finished."""
    revisions: tuple[ListedRevision, ...]


class ModelList(msgspec.Struct, frozen=True):
    """What ``--json`` prints. Sizes in bytes."""

    cache: str
    free: int
    """On the cache's disk."""
    models: tuple[ListedModel, ...]
    other_saved: tuple[Saved, ...]
    """Quantized weights of folders outside of the cache, or of models that are gone."""


def run(*, as_json: bool) -> int:
    """Print all models of the cache; the exit code."""
    fitting = Fitting()
    if fitting.problem is not None:
        note(str(fitting.problem))
    report = _report(fitting)
    if as_json:
        sys.stdout.write(f"{msgspec.json.encode(report).decode()}\n")
    else:
        say(*_lines(report, fitting.where))
    return 0


def _report(fitting: Fitting) -> ModelList:
    saved = saved_weights()
    models = tuple(_listed(model, saved, fitting) for model in cached_models())
    cache = cache_folder()
    named = {one.folder for model in models for r in model.revisions for one in r.saved}
    return ModelList(
        cache=str(cache),
        free=shutil.disk_usage(existing_parent(cache)).free,
        models=models,
        other_saved=tuple(one for one in saved if one.folder not in named),
    )


def _listed(model: CachedModel, saved: Sequence[Saved], fitting: Fitting) -> ListedModel:
    revisions = tuple(_revision(one, saved, fitting) for one in model.revisions)
    return ListedModel(model.hub_id, model.folder, model.nbytes, model.partial, revisions)


def _revision(revision: CachedRevision, saved: Sequence[Saved], fitting: Fitting) -> ListedRevision:
    report = revision.report
    problems = tuple(problem.title for problem in report.problems)
    is_usable = not any(title in _UNKNOWN_KINDS for title in problems)
    home = Path(revision.folder).resolve()
    return ListedRevision(
        commit=revision.commit,
        refs=revision.refs,
        folder=revision.folder,
        whole=report.is_loadable and bool(revision.refs),
        usable=is_usable,
        problems=problems,
        model_type=report.model_type,
        parameters=report.parameters,
        fits=fitting.names(revision.folder) if report.is_loadable else None,
        saved=tuple(one for one in saved if Path(one.source).resolve() == home),
    )


def _lines(report: ModelList, where: str) -> Iterator[str]:
    for model in report.models:
        yield from _model_lines(model)
    if not report.models:
        yield "No model is in the cache yet. To fetch one: glm4v-tui model pull OWNER/NAME"
    if report.other_saved:
        yield "Quantized weights of other folders"
    for one in report.other_saved:
        gone = "" if Path(one.source).is_dir() else " (gone)"
        yield f"  {one.source}{gone}"
        yield f"    {_saved_words(one)}"
    yield ""
    total = sum(model.nbytes for model in report.models)
    yield f"{report.cache}: {size(total)} of models, {size(report.free)} free."
    if any(revision.fits is not None for model in report.models for revision in model.revisions):
        yield f"Fits: with a large image and the usual context; {where}."


def _model_lines(model: ListedModel) -> Iterator[str]:
    yield f"{model.hub_id}  {size(model.nbytes)}"
    for revision in model.revisions:
        if len(model.revisions) > 1 or revision.refs != ("main",):
            yield f"  revision {', '.join((*revision.refs, revision.commit[:12]))}"
        yield f"  {_state(revision)}"
        if revision.fits is not None:
            yield f"  fits: {', '.join(revision.fits) or 'nothing without slow offloading'}"
        yield from (f"  {_saved_words(one)}" for one in revision.saved)
    if model.partial:
        yield f"  {size(model.partial)} of a download that was not finished"
    if model.partial or not any(one.whole or not one.usable for one in model.revisions):
        yield f"  -> glm4v-tui model pull {model.hub_id} goes on with it"


def _state(revision: ListedRevision) -> str:
    if not revision.usable:
        return f"not for this program: {revision.problems[0].lower()}"
    if revision.problems:
        return f"not whole: {'; '.join(revision.problems)}"
    if not revision.whole:
        return "all its files are here, but no name leads to them"
    return f"whole: {revision.model_type}, {parameters(revision.parameters)}"


def _saved_words(one: Saved) -> str:
    day = time.strftime("%Y-%m-%d", time.localtime(one.made))
    return f"saved {one.precision} weights: {size(one.nbytes)}, of {day}"
