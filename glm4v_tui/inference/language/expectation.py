"""What an answer is expected to go on with, so that several tokens are computed in one pass.

Nothing of this changes an answer: each token is chosen from its own logits, with its own noise,
and what was computed after a token that was not expected is thrown away. A guess costs time only,
so guesses are made while they save more of it than they cost (prompt lookup decoding; Leviathan et
al. 2023, "Fast Inference from Transformers via Speculative Decoding", for a draft that is looked
up and not drawn).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Forced = Callable[[], Sequence[int]]
    """Tokens that the answer's form leaves no choice about, from here on."""

MOST = 7
"""Tokens expected at a time: with the one before them a pass of eight."""
_WORDS = 3
"""Tokens that must have stood together before, for what followed them to be expected."""
_MORE = 512
"""Tokens by which room for them grows."""


class Lookup:
    """Expects what followed the last few tokens where they stood before.

    Args:
        before: Ids of the prompt, and of what is written of the answer.
    """

    def __init__(self, before: Sequence[int]) -> None:
        self._ids = np.array(before, dtype=np.int64)
        self._count = len(before)

    def take(self, token: int) -> None:
        """Go on by a token."""
        if self._count == len(self._ids):
            self._ids = np.concatenate((self._ids, np.zeros_like(self._ids, shape=_MORE)))
        self._ids[self._count] = token
        self._count += 1

    def expected(self) -> list[int]:
        """What may come next, at most :data:`MOST` tokens; mostly nothing."""
        ids = self._ids[: self._count]
        if len(ids) <= _WORDS:
            return []
        # The newest token is compared first: few places of a long conversation are left then.
        places = np.flatnonzero(ids[_WORDS - 1 : -1] == ids[-1])
        for word in range(_WORDS - 1):
            places = places[ids[places + word] == ids[word - _WORDS]]
        if not len(places):
            return []
        after = int(places[-1]) + _WORDS
        found: list[int] = ids[after : after + MOST].tolist()
        return found


class Expectation:
    """Of one answer.

    Args:
        before: Ids of the prompt, and of what is written.
        forced: Asked first, after every token.
        pace: Of the model, kept from answer to answer.
        most: Tokens to expect at a time; 0 for none.
    """

    def __init__(
        self, before: Sequence[int], forced: Forced | None, pace: Pace, most: int = MOST
    ) -> None:
        self._most = most
        self._lookup = Lookup(before)
        self._forced = forced
        self._pace = pace
        pace.begin()

    def take(self, token: int) -> None:
        """Go on by a token that was chosen."""
        self._lookup.take(token)
        self._pace.went_on()

    def expected(self, most: int) -> list[int]:
        """What to compute together with the next token; nothing where that would cost time."""
        most = min(most, self._most)
        if most < 1 or not self._pace.pays:
            return []
        forced = [] if self._forced is None else self._forced()
        return list(forced or self._lookup.expected())[:most]


class Pace:
    """Whether passes of several tokens are faster than steps, from how long both took."""

    _NEWEST = 0.3
    """Share of the newest figure in an average."""
    _HOPED = 3.0
    """Tokens of a pass, before any is known."""
    _FIRST_REST, _LONGEST_REST = 16, 512
    """Tokens to wait before another try, when the last did not pay; it doubles each time."""

    def __init__(self) -> None:
        self._step_s: float | None = None
        self._pass_s: float | None = None
        self._gained = self._HOPED
        self._resting = 0
        self._rest = self._FIRST_REST

    def begin(self) -> None:
        """Another answer may repeat itself more, or less; what a pass costs stays known."""
        self._gained, self._resting, self._rest = self._HOPED, 0, self._FIRST_REST

    def went_on(self) -> None:
        self._resting = max(0, self._resting - 1)

    def stepped(self, seconds: float) -> None:
        """A step of one token took so long."""
        self._step_s = self._averaged(self._step_s, seconds)

    def passed(self, seconds: float, gained: int) -> None:
        """A pass took so long, and so many tokens came of it."""
        self._pass_s = self._averaged(self._pass_s, seconds)
        self._gained = self._averaged(self._gained, gained)
        if self._saves:
            self._rest = self._FIRST_REST
        else:
            self._resting, self._rest = self._rest, min(2 * self._rest, self._LONGEST_REST)

    @property
    def pays(self) -> bool:
        return self._resting == 0

    @property
    def _saves(self) -> bool:
        if self._step_s is None or self._pass_s is None:
            return True
        return self._gained * self._step_s > self._pass_s

    def _averaged(self, before: float | None, new: float) -> float:
        return new if before is None else before + self._NEWEST * (new - before)
