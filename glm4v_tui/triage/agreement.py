"""Model against reviewer: how often they give the same label, and which they confuse."""

from __future__ import annotations

from collections import Counter

REJECTED = "rejected"
"""The label of a verdict that says no more than that the model's label is wrong."""


class Agreement:
    """Counts of (model's label, reviewer's label), one for each image that has both.

    Automatic verdicts are no reviewer's and are not counted.
    """

    def __init__(self) -> None:
        self._pairs: Counter[tuple[str, str]] = Counter()

    def count(self, said: str, given: str, by: int = 1) -> None:
        """Add images of which the model said one label and the reviewer gave another, or take them
        out."""
        self._pairs[said, given] += by
        if not self._pairs[said, given]:
            del self._pairs[said, given]

    @property
    def total(self) -> int:
        """Images that both have labeled."""
        return sum(self._pairs.values())

    @property
    def agreed(self) -> int:
        return sum(count for (said, given), count in self._pairs.items() if said == given)

    @property
    def share(self) -> float | None:
        """Of the images that both have labeled, those with the same label."""
        return self.agreed / self.total if self.total else None

    @property
    def confusion(self) -> dict[tuple[str, str], int]:
        """Images by (model's label, reviewer's label)."""
        return dict(self._pairs)

    @property
    def labels(self) -> tuple[str, ...]:
        """All that either has given; a plain rejection last."""
        names = {label for pair in self._pairs for label in pair}
        return tuple(sorted(names, key=lambda name: (name == REJECTED, name)))

    def precision(self, label: str) -> float | None:
        """Of the images that the model gave this label, the share that the reviewer did too."""
        return self._rate(label, sum(n for (said, _), n in self._pairs.items() if said == label))

    def recall(self, label: str) -> float | None:
        """Of the images that the reviewer gave this label, the share that the model did too.

        Of a rejected image the right label is not known, so it counts for no label's recall.
        """
        return self._rate(label, sum(n for (_, given), n in self._pairs.items() if given == label))

    def _rate(self, label: str, of: int) -> float | None:
        return self._pairs[label, label] / of if of else None
