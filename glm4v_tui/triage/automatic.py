"""Labels that are given because the model is sure of them. Marked as such, and undone together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.store.verdicts import Event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from glm4v_tui.triage.ledger import Ledger


class Automatic:
    """Automatic verdicts of a review: off while there is no threshold.

    Raises (every method): StoreError.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.threshold: float | None = None
        """The probability from which the model's label is given; None: never."""

    def start(self, threshold: float, spared: int | None = None) -> int:
        """Give labels from this probability on, now and as the model goes on; how many now.

        Args:
            spared: The image that a reviewer looks at: it is his.
        """
        self.threshold = threshold
        every = range(len(self._ledger.listing))
        return self.consider(index for index in every if index != spared)

    def consider(self, indexes: Iterable[int]) -> int:
        """Give those of the images a label that are due one, each content once; how many."""
        events = {event.digest: event for index in indexes if (event := self._event(index))}
        if events:
            self._ledger.add(events.values())
        return len(events)

    def _event(self, index: int) -> Event | None:
        """The verdict on an image that is not decided, and that the model is sure of."""
        known = self._ledger.standings
        probability, digest = known.probability(index), known.digest(index)
        if self.threshold is None or probability is None or digest is None:
            return None
        if probability < self.threshold or known.is_decided(index):
            return None
        return Event(
            digest,
            "label",
            Path(self._ledger.listing.name(index)),
            label=known.model_label(index),
            model_label=known.model_label(index),
            probability=probability,
            is_automatic=True,
        )

    def undo(self) -> int:
        """Take all automatic labels of the queue's images back but those that a reviewer has
        decided on since, and give no more; how many."""
        self.threshold = None
        return self._ledger.undo(self._ledger.automatic())
