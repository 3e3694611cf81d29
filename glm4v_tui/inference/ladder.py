"""What happens when the memory does not suffice for a request: one thing after the other is done
about it (:mod:`.rungs`), and the request is tried again after each.

A request is a piece of work that may be begun anew; what it had written before is kept by whoever
gives the work (``decoding.Draft``).
"""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from glm4v_tui.engine.protocol import Eased, Progress
from glm4v_tui.errors import OutOfMemoryError
from glm4v_tui.inference.failures import is_fatal
from glm4v_tui.inference.shortage import Shortage, shortage_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glm4v_tui.engine.protocol import ConsentWanted, Event, Generate, Score
    from glm4v_tui.inference.backend import Backend
    from glm4v_tui.inference.savings import Savings

    Ask = Callable[[ConsentWanted], bool]

T = TypeVar("T")


class Stopped(BaseException):
    """The request was aborted while something was done about the memory.

    Not an ``Exception``: libraries that catch those let it pass.
    """


def _freely(_: Climb) -> bool:
    return True


@dataclass(frozen=True)
class Rung:
    """One thing that can be done."""

    name: str
    short: str
    """What an error says was tried."""
    applies: Callable[[Climb], bool]
    """Whether there is anything in it now."""
    says: Callable[[Climb], str]
    """For the user, before it is done."""
    act: Callable[[Climb], bool]
    """False: it could not be done, and the next one is due."""
    most: int = 1
    """Times in one request."""
    consent: Callable[[Climb], bool] = _freely
    """Asks whoever must agree."""


@dataclass
class Climb:
    """A request on its way through the rungs."""

    backend: Backend
    request: Generate | Score
    emit: Callable[[Event], None]
    should_stop: Callable[[], bool]
    ask: Ask
    shortage: Shortage | None = None
    """The last one."""
    tried: list[str] = field(default_factory=list)
    """In short."""
    refused: set[str] = field(default_factory=set)
    """Precisions that were loaded, or could not be, and did not help."""

    def __post_init__(self) -> None:
        self.before = self.backend.state
        """What the backend goes back to where nothing helps."""

    @property
    def reads_all_smaller(self) -> bool:
        """The user has agreed beforehand, for every image."""
        return self.request.smaller_images == "always"

    def tell_bytes(self, done: int, total: int) -> None:
        """Loading has come so far.

        Raises:
            Stopped: nobody waits for it any more.
        """
        if self.should_stop():
            raise Stopped
        self.emit(Progress(self.request.request_id, "weights", done, total))

    def load_again(self, savings: Savings) -> bool:
        """The same model, otherwise; False when that failed, and the next rung is due."""
        try:
            self.backend.reload(savings, self.tell_bytes)
        except Exception as error:
            # Whatever it is: libraries hide a lack of memory behind words of their own.
            if is_fatal(error):
                raise
            print("".join(traceback.format_exception(error)), file=sys.stderr)  # noqa: T201
            return False
        self.tell_model()
        return True

    def tell_model(self) -> None:
        """It is another now, or elsewhere."""
        self.emit(Eased(self.request.request_id, "loaded", "", self.backend.info))


def climb(work: Callable[[], T], one: Climb, rungs: tuple[Rung, ...]) -> T | None:
    """Do the work, and what it takes for it to be done; None when it was aborted.

    Raises:
        OutOfMemoryError: nothing helped.
        Exception: what the work raises for other reasons.
    """
    steps = _steps(one, rungs)
    try:
        while isinstance(done := _attempt(work, one), Shortage):
            one.shortage = done
            one.backend.recover()
            if next(steps, None) is None:
                if one.should_stop():  # by an abort that was the answer to the last question
                    return None
                one.backend.take_back(one.before)
                raise _failure(one)
    except Stopped:
        return None
    return done


def _attempt(work: Callable[[], T], one: Climb) -> T | Shortage:
    """In a frame of its own: as long as that lives, so may a failure, and all that it was about."""
    try:
        return work()
    except Exception as error:
        shortage = shortage_of(error, one.backend.tower_ids)
        if shortage is None:
            raise
        return shortage


def _steps(one: Climb, rungs: tuple[Rung, ...]) -> Iterator[Rung]:
    """Do one thing each time that this is asked, until nothing is left."""
    for rung in rungs:
        for _ in range(rung.most):
            if not rung.applies(one) or not rung.consent(one):
                break
            if one.should_stop():
                raise Stopped
            one.emit(Eased(one.request.request_id, rung.name, rung.says(one)))
            one.tried.append(rung.short)
            if _is_done(rung, one):
                yield rung


def _is_done(rung: Rung, one: Climb) -> bool:
    """Do it; what is to save memory takes some itself, and there may be none."""
    done = _attempt(lambda: rung.act(one), one)
    if isinstance(done, Shortage):
        one.backend.recover()
        return False
    return done


def _failure(one: Climb) -> OutOfMemoryError:
    assert one.shortage is not None
    tried = f" Tried in vain: {', '.join(dict.fromkeys(one.tried))}."
    remedy = one.shortage.remedy
    if one.request.smaller_images == "never" and one.backend.propose_smaller(one):
        remedy = f"{_ALLOW} {remedy}"
    return OutOfMemoryError(one.shortage.title, one.shortage.reason + tried, remedy)


_ALLOW = (
    'Let images be read smaller (smaller_images = "always" under [model] in config.toml; '
    "--smaller-images always of ask and batch)."
)
