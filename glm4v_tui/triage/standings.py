"""What is known of each image of a queue, by its number, in a few bytes an image."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, NamedTuple

from glm4v_tui.triage.agreement import Agreement

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from glm4v_tui.store.verdicts import Verdict

_DIGEST = 32
_NONE = 255
_SKIPPED, _FLAGGED, _AUTOMATIC, _CHECKED = 1, 2, 4, 8


class Decided(NamedTuple):
    """What another reviewer has decided of an image."""

    reviewer: str
    label: str | None
    """None: he has skipped it."""
    is_automatic: bool = False
    """The label was given for being probable; he has not seen it."""


class Standings:
    """Content, a reviewer's verdict, what others decided, and the model's opinion of ``count``
    images."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._digests = bytearray(_DIGEST * count)
        self._sizes = array("q", [-1]) * count
        self._times = array("q", [0]) * count
        self._labels = bytearray([_NONE]) * count
        self._model_labels = bytearray([_NONE]) * count
        self._probabilities = array("f", [math.nan]) * count
        self._marks = bytearray(count)
        self._names: list[str] = []
        self._others = array("I", [0]) * count
        self._in_turn: list[tuple[Decided, ...]] = [()]
        self._combinations: dict[tuple[Decided, ...], int] = {(): 0}
        """What others decided comes in few combinations; an image has the number of its own."""
        self.agreement = Agreement()
        self.decided = 0
        """Images that are labeled or skipped."""
        self.skipped = 0
        self.automatic = 0
        self.known = 0
        """Images of which the model's label is known..."""
        self.rated = 0
        """...and of which also how probable it is."""

    # Content ------------------------------------------------------------------------------------

    def digest(self, index: int) -> str | None:
        """Of the image's file when it was last read; None where it was not."""
        data = self._digests[index * _DIGEST : (index + 1) * _DIGEST]
        return data.hex() if any(data) else None

    def set_digest(self, index: int, digest: str) -> None:
        self._digests[index * _DIGEST : (index + 1) * _DIGEST] = bytes.fromhex(digest)

    def set_status(self, index: int, size: int, mtime_ns: int) -> None:
        """What the file was like when it was read."""
        self._sizes[index], self._times[index] = size, mtime_ns

    def has_status(self, index: int, status: os.stat_result) -> bool:
        """Whether the file is like it was when it was read."""
        was = self._sizes[index], self._times[index]
        return was == (status.st_size, status.st_mtime_ns)

    def with_digest(self, digest: str) -> Iterator[int]:
        """The numbers of all images with this content, as far as it is known."""
        wanted, start = bytes.fromhex(digest), 0
        while (place := self._digests.find(wanted, start)) >= 0:
            if place % _DIGEST == 0:
                yield place // _DIGEST
            start = place + 1

    def by_digest(self) -> dict[bytes, list[int]]:
        """The numbers of images by their content, all at once. Takes some 20 MB for 100,000."""
        found: dict[bytes, list[int]] = {}
        unknown = bytes(_DIGEST)
        for index in range(self._count):
            digest = bytes(self._digests[index * _DIGEST : (index + 1) * _DIGEST])
            if digest != unknown:
                found.setdefault(digest, []).append(index)
        return found

    def is_checked(self, index: int) -> bool:
        """Whether the file was seen to be as it was read, in this run of the program."""
        return bool(self._marks[index] & _CHECKED)

    def set_checked(self, index: int) -> None:
        self._mark(index, _CHECKED, True)

    # Verdict ------------------------------------------------------------------------------------

    def is_decided(self, index: int) -> bool:
        return self._labels[index] != _NONE or bool(self._marks[index] & _SKIPPED)

    def is_skipped(self, index: int) -> bool:
        return bool(self._marks[index] & _SKIPPED)

    def is_flagged(self, index: int) -> bool:
        return bool(self._marks[index] & _FLAGGED)

    def is_automatic(self, index: int) -> bool:
        return bool(self._marks[index] & _AUTOMATIC)

    def label(self, index: int) -> str | None:
        return self._name(self._labels[index])

    def set_verdict(self, index: int, verdict: Verdict) -> None:
        """Let this be the image's verdict; what the model said with it counts as its opinion."""
        self._count_image(index, -1)
        self._labels[index] = self._number(verdict.label)
        self._mark(index, _SKIPPED, verdict.is_skipped)
        self._mark(index, _FLAGGED, verdict.is_flagged)
        self._mark(index, _AUTOMATIC, verdict.is_automatic)
        if verdict.model_label is not None and self._model_labels[index] == _NONE:
            self._model_labels[index] = self._number(verdict.model_label)
            probability = verdict.probability
            self._probabilities[index] = math.nan if probability is None else probability
        self._count_image(index, 1)

    # What others decided ------------------------------------------------------------------------

    def others(self, index: int) -> tuple[Decided, ...]:
        """By the names of the reviewers."""
        number = self._others[index]
        return self._in_turn[number] if number else ()

    def set_others(self, index: int, decided: tuple[Decided, ...]) -> None:
        number = self._combinations.setdefault(decided, len(self._in_turn))
        if number == len(self._in_turn):
            self._in_turn.append(decided)
        self._others[index] = number

    def is_disputed(self, index: int) -> bool:
        """Whether two reviewers gave two labels; automatic ones are nobody's."""
        given = {one.label for one in self.others(index) if not one.is_automatic}
        if not self.is_automatic(index):
            given.add(self.label(index))
        return len(given - {None}) > 1

    # The model's opinion ------------------------------------------------------------------------

    def model_label(self, index: int) -> str | None:
        return self._name(self._model_labels[index])

    def probability(self, index: int) -> float | None:
        """Of the model's label; None where it is not known."""
        value = self._probabilities[index]
        return None if math.isnan(value) else value

    def set_opinion(self, index: int, label: str | None, probability: float | None) -> None:
        self._count_image(index, -1)
        self._model_labels[index] = self._number(label)
        self._probabilities[index] = math.nan if probability is None else probability
        self._count_image(index, 1)

    def disagrees(self, index: int) -> bool:
        """Whether the reviewer gave another label than the model."""
        said, given = self._model_labels[index], self._labels[index]
        return said != _NONE and given not in (_NONE, said)

    # --------------------------------------------------------------------------------------------

    def _count_image(self, index: int, by: int) -> None:
        """Add an image to the counts, or take it out of them."""
        self.decided += by * self.is_decided(index)
        self.skipped += by * self.is_skipped(index)
        self.automatic += by * self.is_automatic(index)
        self.known += by * (self._model_labels[index] != _NONE)
        self.rated += by * (not math.isnan(self._probabilities[index]))
        said, given = self.model_label(index), self.label(index)
        if said is not None and given is not None and not self.is_automatic(index):
            self.agreement.count(said, given, by)

    def _mark(self, index: int, mark: int, is_set: bool) -> None:
        if is_set:
            self._marks[index] |= mark
        else:
            self._marks[index] &= ~mark

    def _name(self, number: int) -> str | None:
        return None if number == _NONE else self._names[number]

    def _number(self, label: str | None) -> int:
        if label is None:
            return _NONE
        if label not in self._names:
            if len(self._names) == _NONE:
                raise ValueError(f"more than {_NONE} labels")
            self._names.append(label)
        return self._names.index(label)
