"""An answer on its way, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glm4v_tui.engine.protocol import FinishReason
    from glm4v_tui.inference.result_form import ResultMask
    from glm4v_tui.inference.token_sink import TokenSink


@dataclass(frozen=True)
class Answered:
    """How an answer ended."""

    reason: FinishReason
    tokens: tuple[int, ...]
    """Every id that was chosen, the stop id included."""
    first_token_at: float | None
    """By ``time.monotonic``."""
    last_token_at: float | None
    kv_bytes: int


class _Random:
    """Where torch's generators stand."""

    def __init__(self) -> None:
        import torch

        self._cpu = torch.get_rng_state()
        self._gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []

    def use(self) -> None:
        import torch

        torch.set_rng_state(self._cpu)
        torch.cuda.set_rng_state_all(self._gpus)


@dataclass
class Draft:
    """An answer on its way: when its decoding fails, another attempt goes on from what is there.

    It holds nothing of the model, which may be loaded anew in between.
    """

    sink: TokenSink | None = None
    mask: ResultMask | None = None
    """It has taken in every token that was chosen, so it is at the right place for the next."""
    _random: _Random | None = None

    @property
    def tokens(self) -> list[int]:
        return self.sink.tokens if self.sink is not None else []

    def rest(self) -> None:
        """Other answers may come now: the next token is to be drawn as if none had."""
        self._random = _Random()

    def draw_on(self) -> None:
        """Before another attempt."""
        random, self._random = self._random, None
        if random is not None:
            random.use()

    def finish(self) -> None:
        """Hand on what text is left, where no more comes."""
        if self.sink is not None:
            self.sink.finish()
