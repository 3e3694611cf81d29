"""What models said of images: kept by image, by what was asked, and by model."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from glm4v_tui.store.database import Database

LogLikelihoods = dict[str, tuple[float, int]]
"""By label: the natural logarithm of its answer's probability, and the answer's tokens."""


class StoredResult(msgspec.Struct, frozen=True):
    """All that is kept of what a model said of one image."""

    raw: str | None = None
    """The answer as the model wrote it; None where no result was asked for."""
    is_finished: bool = False
    """It ended of itself, not at a limit."""
    facts: str | None = None
    """JSON of the facts that the result was asked with; None as ``raw``."""
    log_likelihoods: LogLikelihoods | None = None
    """None where they were not asked for."""
    seconds: float = 0.0
    """That the model took for all of it."""


class Results:
    """The results of one question, asked of one model.

    Args:
        asked: Digest of the question (``triage.identity``).
        model: Digest of the model.
    """

    def __init__(self, database: Database, asked: str, model: str) -> None:
        self._database = database
        self._asked = asked
        self._model = model

    def get(self, image: str) -> StoredResult | None:
        """What was said of an image, by its ``Attachment.key``.

        Raises:
            StoreError: the database cannot be read.
        """
        rows = self._database.rows(
            "SELECT raw, is_finished, facts, log_likelihoods, seconds FROM results"
            " WHERE image = ? AND asked = ? AND model = ?",
            *(image, self._asked, self._model),
        )
        return _result(*rows[0]) if rows else None

    def put(self, image: str, result: StoredResult) -> None:
        """Keep what was said in place of what was kept before; on the disk when it returns. Nothing
        is kept where the database cannot be written since it was opened.

        Raises:
            StoreError: the database cannot be written.
        """
        if self._database.is_read_only:
            return
        likelihoods = result.log_likelihoods
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO results (image, asked, model, made_at, raw, is_finished,"
                " facts, log_likelihoods, seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(image, self._asked, self._model, time.time()),
                    *(result.raw, result.is_finished, result.facts),
                    None if likelihoods is None else msgspec.json.encode(likelihoods).decode(),
                    result.seconds,
                ),
            )


def _result(
    raw: str | None, is_finished: int, facts: str | None, likelihoods: str | None, seconds: float
) -> StoredResult:
    told = None if likelihoods is None else msgspec.json.decode(likelihoods, type=LogLikelihoods)
    return StoredResult(raw, bool(is_finished), facts, told, seconds)
