"""An answer, token after token, from the logits after its prompt."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glm4v_tui.inference.language.choice import Chooser
    from glm4v_tui.inference.language.expectation import Expectation, Pace
    from glm4v_tui.inference.language.kv_cache import KvCache
    from glm4v_tui.inference.language.prefix import Slot
    from glm4v_tui.inference.language.steps import Steps

    Mask = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Continuation:
    """What is written after a prompt.

    A GPU begins the next step before it is known here which token was chosen, so it never waits for
    what is done with one; only where several tokens are expected is the newest waited for, since
    all of them are then computed in one pass.

    Args:
        cache: Of one row; it has room for the answer.
        held: What is in the cache, to be kept up.
        position: Of the first token.
        limit: Of tokens, at least 1.
        mask: Makes impossible what may not come; asked before each choice, when all tokens before
            have been handed over.
    """

    def __init__(
        self,
        steps: Steps,
        cache: KvCache,
        held: list[Slot],
        position: int,
        chooser: Chooser,
        expectation: Expectation,
        pace: Pace,
        limit: int,
        mask: Mask | None = None,
    ) -> None:
        self._steps, self._cache, self._held = steps, cache, held
        self._ahead_of = position - len(held)
        self._chooser, self._mask = chooser, mask
        self._expectation, self._pace = expectation, pace
        self._left = limit
        self._began: float | None = None
        """When the device began what is waited for; None while that is not known."""

    @torch.inference_mode()
    def tokens(self, logits: torch.Tensor) -> Iterator[int]:
        """The tokens as they are chosen. Leaving the iterator ends the answer.

        Args:
            logits: Of the first, (vocabulary,).
        """
        rows, draft = logits[None], list[int]()
        while True:
            ahead, gained = None, 0
            for row, guess in zip(rows, [*draft, None], strict=True):
                chosen = self._chooser.choose(row, self._mask)
                arrived = arrival(chosen)
                if guess is None and self._may_run_ahead():
                    ahead = self._step(chosen)
                (token,) = arrived()
                gained += 1
                if gained == 1:
                    took = self._took(is_ahead=ahead is not None)
                self._left -= 1
                self._expectation.take(token)
                if ahead is not None or token == guess:
                    self._held.append(token)
                yield token
                if self._left == 0:
                    return
                if token != guess:
                    break
            self._tell(took, gained, is_pass=bool(draft))
            draft = []
            if ahead is not None:
                rows = ahead[None]
                continue
            draft = self._expectation.expected(self._most())
            self._began = time.perf_counter()
            rows = self._pass(token, draft) if draft else self._step(chosen)[None]
            self._held.append(token)

    def _may_run_ahead(self) -> bool:
        if not self._steps.runs_ahead or self._left < 2:
            return False
        return len(self._expectation.expected(self._most())) < 2

    def _most(self) -> int:
        """Tokens that may be expected after the next one."""
        room = self._cache.capacity - len(self._held) - min(self._steps.widths, default=0)
        return self._left - 1 if room >= 0 and self._steps.has_passes else 0

    def _step(self, token: torch.Tensor) -> torch.Tensor:
        length = len(self._held)
        return self._steps.one(self._cache, token, length, length + self._ahead_of)

    def _pass(self, token: int, draft: list[int]) -> torch.Tensor:
        length = len(self._held)
        return self._steps.few(self._cache, [token, *draft], length, length + self._ahead_of)

    def _took(self, *, is_ahead: bool) -> float | None:
        """Seconds since the device began what has just arrived."""
        now, began = time.perf_counter(), self._began
        self._began = now if is_ahead else None
        return None if began is None else now - began

    def _tell(self, took: float | None, gained: int, *, is_pass: bool) -> None:
        if took is None:
            return
        if is_pass:
            self._pace.passed(took, gained)
        else:
            self._pace.stepped(took)


def arrival(chosen: torch.Tensor) -> Callable[[], list[int]]:
    """Begin to fetch tokens; the result waits for them, but for nothing that comes later."""
    if chosen.device.type == "cpu":
        return chosen.tolist
    here = torch.empty(chosen.shape, dtype=chosen.dtype, pin_memory=True)
    here.copy_(chosen, non_blocking=True)
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record()

    def wait() -> list[int]:
        copied.synchronize()
        tokens: list[int] = here.tolist()
        return tokens

    return wait
