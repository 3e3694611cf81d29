"""Which keys a person has pressed, and which only look so.

A path that is dropped on a terminal without brackets, a late answer of the terminal to a question
of another program, a key that was held while the line was stuck: all of them arrive as keys, and
each letter could be a verdict. They come faster than fingers do, most of them in one read.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

HOLD_S = 0.03
"""How long a key waits before it counts: what comes in a burst is together by then."""
BURST_S = 0.03
"""Keys closer than this to one another are one burst..."""
BURST_KEYS = 3
"""...from so many on: two fingers may meet."""
PAIR_S = 0.01
"""Two different keys closer than this came in one read of the terminal, not from two fingers."""
TAIL_S = 0.12
"""After a burst, what follows within this belongs to it: a line delivers in portions."""
STRING_S = 1.0
"""The same where the burst begins as an answer of the terminal does and its end has not come."""
_STRING_STARTS = frozenset(
    ("alt+shift+p", "right_square_bracket", "underscore", "circumflex_accent")
)
"""``ESC P``, ``ESC ]``, ``ESC _`` and ``ESC ^``: what follows is a string (ECMA-48, 5.6)...
Of those that come in portions, these are the keys that are read."""
_STRING_ENDS = frozenset(("backslash", "alt+backslash", "ctrl+g"))
"""...up to ``ESC \\`` or BEL."""
REPEAT_S = 0.06
"""The same key again within this is held, not pressed: fingers take 80 ms at their fastest."""


class Why(Enum):
    """Why a key does not count."""

    BURST = "burst"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Press:
    """A key as it arrived."""

    key: str
    at: float
    """``time.monotonic()`` when it was read from the terminal."""


class KeyGate:
    """Is told of every key, and asked about one when it has waited for ``HOLD_S``."""

    def __init__(self) -> None:
        self._presses: deque[Press] = deque(maxlen=64)
        self._burst_end = float("-inf")
        self._tail = TAIL_S
        self.burst_start = float("-inf")
        """When the first key of the newest burst came."""

    def note(self, press: Press) -> None:
        """A key has arrived, whatever it means."""
        self._presses.append(press)
        if press.at - self._burst_end <= self._tail:
            self._burst_end = press.at
        elif self._is_burst():
            self._burst_end = press.at
            first = self._chain_start()
            self.burst_start = first.at
            self._tail = STRING_S if first.key in _STRING_STARTS else TAIL_S
        if press.key in _STRING_ENDS:
            self._tail = TAIL_S

    def note_paste(self, at: float) -> None:
        """Text was pasted in brackets: what follows at once is the rest of it."""
        self._burst_end = self.burst_start = at
        self._tail = TAIL_S

    def why_not(self, press: Press) -> Why | None:
        """Why this key does not count; None for one that a person has pressed."""
        if self.burst_start <= press.at <= self._burst_end:
            return Why.BURST
        before = [one for one in self._presses if one.key == press.key and one.at < press.at]
        if before and press.at - before[-1].at < REPEAT_S:
            return Why.HELD
        return None

    def _is_burst(self) -> bool:
        """Whether the newest keys are one."""
        newest = list(self._presses)[-BURST_KEYS:]
        pair = newest[-2:]
        if len(pair) == 2 and pair[0].key != pair[1].key and pair[1].at - pair[0].at <= PAIR_S:
            return True
        gaps = (later.at - earlier.at for earlier, later in pairwise(newest))
        return len(newest) == BURST_KEYS and all(gap <= BURST_S for gap in gaps)

    def _chain_start(self) -> Press:
        """The first of the chain of keys without a pause that the newest key ends."""
        start = self._presses[-1]
        for press in reversed(self._presses):
            if start.at - press.at > BURST_S:
                break
            start = press
        return start
