"""What the model said of images before, all at once: for putting the uncertain first at the start.

A result is not read for that, only how probable its labels were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from glm4v_tui.store.results import LogLikelihoods
from glm4v_tui.tasks.call import preparation_of
from glm4v_tui.triage.asking import probabilities
from glm4v_tui.triage.identity import asked_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glm4v_tui.engine.protocol import Sampling
    from glm4v_tui.store.database import Database
    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.tasks.task import Language

_PAGE = 5_000


class StoredOpinion(NamedTuple):
    """The most probable label of an image."""

    digest: str
    """SHA-256 of the file."""
    label: str
    probability: float


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
    decoder = msgspec.json.Decoder(LogLikelihoods)
    for image, likelihoods in _rows(database, asked, model_key):
        digest = image[:64]
        if image[64:] == ending:  # whole images as the task sees them, no parts of them
            chances = probabilities(decoder.decode(likelihoods))
            label = max(chances, key=chances.__getitem__)
            yield StoredOpinion(digest, label, chances[label])


def _rows(database: Database, asked: str, model_key: str) -> Iterator[tuple[str, str]]:
    last = ""
    query = (
        "SELECT image, log_likelihoods FROM results WHERE asked = ? AND model = ? AND image > ?"
        " AND log_likelihoods IS NOT NULL ORDER BY image LIMIT ?"
    )
    while rows := database.rows(query, asked, model_key, last, _PAGE):
        for row in rows:
            yield row["image"], row["log_likelihoods"]
        last = rows[-1]["image"]
