"""What the model said of images before, all at once: for putting the uncertain first at the start.

A result is read for that only where the task does not ask how probable its labels are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from glm4v_tui.errors import PluginError
from glm4v_tui.store.results import LogLikelihoods
from glm4v_tui.tasks.call import guarded, preparation_of
from glm4v_tui.tasks.results import ResultState, read_result
from glm4v_tui.triage.asking import answers_of, probabilities
from glm4v_tui.triage.identity import asked_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from sqlite3 import Row

    from glm4v_tui.engine.protocol import Sampling
    from glm4v_tui.store.database import Database
    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.tasks.task import Language

_PAGE = 5_000
_LIKELIHOODS = msgspec.json.Decoder(LogLikelihoods)


class StoredOpinion(NamedTuple):
    """The most probable label of an image."""

    digest: str
    """SHA-256 of the file."""
    label: str
    probability: float | None
    """None where the task does not ask for it."""


def stored_opinions(
    database: Database,
    task: AnyTask,
    options: msgspec.Struct,
    language: Language,
    model_key: str,
    sampling: Sampling,
) -> Iterator[StoredOpinion]:
    """All opinions of a model that the store has, under the same question (``Asker``).

    Raises:
        PluginError: the task's own code or form is at fault.
        StoreError: the database cannot be read.
    """
    asked = asked_key(task, options, language, sampling)
    preparation = preparation_of(task, options)
    ending = "" if preparation is None else f":{preparation.key}"
    is_rated = bool(answers_of(task))
    said = _rated if is_rated else _spoken_for(task, options)
    column = "log_likelihoods" if is_rated else "raw"
    for row in _rows(database, asked, model_key, column):
        image = row["image"]
        if image[64:] == ending:  # whole images as the task sees them, no parts of them
            label, probability = said(row)
            if label is not None:
                yield StoredOpinion(image[:64], label, probability)


def _rated(row: Row) -> tuple[str | None, float | None]:
    """The most probable label."""
    chances = probabilities(_LIKELIHOODS.decode(row["log_likelihoods"]))
    label = max(chances, key=chances.__getitem__, default=None)
    return label, None if label is None else chances[label]


def _spoken_for(
    task: AnyTask, options: msgspec.Struct
) -> Callable[[Row], tuple[str | None, float | None]]:
    """What tells the label that a result speaks for."""
    names = {label.name for label in task.labels}

    def label_in(row: Row) -> tuple[str | None, float | None]:
        result = read_result(task, row["raw"], is_finished=bool(row["is_finished"]))
        if result.state is not ResultState.WHOLE:
            return None, None
        label: Any = None
        try:
            with guarded(task, "telling the label of its result"):
                label = task.label_of(result.value, options)
        except PluginError:
            return None, None  # told where the result is shown
        return (label if label in names else None), None

    return label_in


def _rows(database: Database, asked: str, model_key: str, column: str) -> Iterator[Row]:
    """All results in which a column has a value."""
    last = ""
    query = (
        f"SELECT image, is_finished, {column} FROM results"
        f" WHERE asked = ? AND model = ? AND image > ? AND {column} IS NOT NULL"
        " ORDER BY image LIMIT ?"
    )
    while rows := database.rows(query, asked, model_key, last, _PAGE):
        yield from rows
        last = rows[-1]["image"]
