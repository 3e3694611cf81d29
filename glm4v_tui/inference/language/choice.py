"""The next token, chosen where the logits are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch

from glm4v_tui.inference.kernels import has_triton

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Mask = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_NO_IDS = torch.empty((1, 0), dtype=torch.int64)
_UNKNOWN = (
    "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "min_length",
    "min_new_tokens", "suppress_tokens", "begin_suppress_tokens", "forced_bos_token_id",
    "forced_eos_token_id", "sequence_bias", "exponential_decay_length_penalty", "min_p",
    "typical_p", "epsilon_cutoff", "eta_cutoff", "encoder_repetition_penalty", "guidance_scale",
    "watermarking_config", "top_h",
)  # fmt: skip
"""Settings that are left to transformers' own loop, unless they are at what does nothing."""
_NOTHING = {0, 1.0}


_FEW = 512
_STRIDE = 0x9E3779B97F4A7C15
"""Between the seeds of tokens: far apart, so that neighboring seeds share none."""


@runtime_checkable
class Forbids(Protocol):
    """A mask that can say what may not come, where nothing else is done to the scores."""

    def forbidden(self, device: torch.device) -> torch.Tensor | None:
        """bool, (vocabulary,) or more; None where it must be called."""


@dataclass(frozen=True)
class Settings:
    """How tokens are chosen. ``temperature`` 0 takes the most probable one."""

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int | None = None


def settings_of(config: Any, seed: int | None) -> Settings | None:
    """Those of a ``GenerationConfig``; None where it asks for more than is known here."""
    for name in _UNKNOWN:
        value = getattr(config, name, None)
        is_set = value not in _NOTHING if isinstance(value, int | float) else bool(value)
        if is_set:
            return None
    penalty = config.repetition_penalty
    return Settings(
        temperature=_or(config.temperature, 1.0) if config.do_sample else 0.0,
        top_k=_or(config.top_k, 0) if config.do_sample else 0,
        top_p=_or(config.top_p, 1.0) if config.do_sample else 1.0,
        repetition_penalty=_or(penalty, 1.0),
        seed=seed,
    )


class Chooser:
    """Chooses the tokens of one answer. Everything stays on the logits' device.

    The order of what is done to the logits is transformers': repetition penalty, forbidden tokens,
    temperature, top-k, top-p. A token is drawn by dividing the probabilities by exponential noise
    and taking the largest, which draws from the same distribution as ``multinomial`` and needs no
    answer from the device.
    """

    def __init__(
        self,
        settings: Settings,
        vocabulary: int,
        before: Sequence[int],
        device: torch.device,
        written: int = 0,
    ) -> None:
        """Begin an answer, or go on with one.

        Args:
            before: The ids of the prompt and of what is written; the repetition penalty counts
                them as said.
            written: Tokens of the answer that are there already.
        """
        self._settings = settings
        self._said: torch.Tensor | None = None
        if settings.repetition_penalty != 1.0:
            self._said = torch.zeros(vocabulary, dtype=torch.bool, device=device)
            spoken = torch.tensor(sorted(set(before)), dtype=torch.int64, device=device)
            self._said[spoken] = True
        self._generator = torch.Generator(device)
        self._seed = self._generator.seed() if settings.seed is None else settings.seed
        self._count = written
        is_common = not self._is_greedy and not settings.top_k and 0 < settings.top_p < 1
        self._draws_by_kernels = is_common and has_triton(device)

    def choose(self, logits: torch.Tensor, mask: Mask | None = None) -> torch.Tensor:
        """The next token.

        Args:
            logits: (vocabulary,), of any floating dtype.
            mask: As transformers' processors: (ids, which it must not need; scores of shape
                (1, vocabulary)) to such scores, in place or not.

        Returns:
            Its id, int64, of shape (1,).
        """
        if self._draws_by_kernels:
            token = self._drawn_by_kernels(logits, mask)
        else:
            token = self._chosen(logits, mask)
            if self._said is not None:
                self._said.index_fill_(0, token, True)
        self._count += 1
        return token

    def _chosen(self, logits: torch.Tensor, mask: Mask | None) -> torch.Tensor:
        scores = logits.float()
        if self._said is not None:
            penalty = self._settings.repetition_penalty
            punished = torch.where(scores < 0, scores * penalty, scores / penalty)
            scores = torch.where(self._said, punished, scores)
        if mask is not None:
            own = scores.clone() if scores.data_ptr() == logits.data_ptr() else scores
            scores = mask(_NO_IDS, own[None])[0]
        return scores.argmax(-1, keepdim=True) if self._is_greedy else self._draw(scores)

    def _drawn_by_kernels(self, logits: torch.Tensor, mask: Mask | None) -> torch.Tensor:
        """The same in fewer launches. What a mask forbids stays so, penalized or not."""
        from glm4v_tui.inference.kernels.drawing import draw

        settings, forbidden = self._settings, None
        if isinstance(mask, Forbids):
            forbidden = mask.forbidden(logits.device)
        if mask is not None and forbidden is None:
            logits = mask(_NO_IDS, logits.to(torch.float32, copy=True)[None])[0]
        return draw(
            logits,
            self._said,
            forbidden,
            temperature=settings.temperature,
            penalty=settings.repetition_penalty,
            top_p=settings.top_p,
            seed=self._seed_now % (1 << 62),
        )

    @property
    def takes_largest(self) -> bool:
        """Without a mask the token is the logits' largest, whatever was said before."""
        return self._is_greedy and self._said is None

    @property
    def _is_greedy(self) -> bool:
        return self._settings.temperature == 0 or self._settings.top_k == 1

    def _draw(self, scores: torch.Tensor) -> torch.Tensor:
        settings = self._settings
        scores = scores / settings.temperature
        if not settings.top_k and settings.top_p >= 1:
            return self._drawn(scores.softmax(-1))
        if settings.top_k:
            best, ids = scores.topk(min(settings.top_k, len(scores)))
            shares = best.softmax(-1)
        else:
            shares, ids = _largest(scores.softmax(-1), settings.top_p)
        if settings.top_p < 1:
            before = shares.cumsum(-1) - shares
            shares = shares.masked_fill(before >= settings.top_p, 0.0)
        return ids[self._drawn(shares)]

    @property
    def _seed_now(self) -> int:
        """Anew for each token: an answer that is gone on with draws as if it never had stopped."""
        return self._seed + self._count * _STRIDE

    def _drawn(self, shares: torch.Tensor) -> torch.Tensor:
        self._generator.manual_seed(self._seed_now % (1 << 63))
        noise = torch.empty_like(shares).exponential_(generator=self._generator)
        return (shares / noise).argmax(-1, keepdim=True)


def _largest(shares: torch.Tensor, together: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The largest first, at least as many as reach ``together``; and their ids.

    A CPU sorts a vocabulary for longer than a small model computes a step, and can look whether a
    few are enough. A GPU sorts fast, and looking would make it wait.
    """
    if shares.device.type == "cpu" and len(shares) > _FEW:
        few, ids = shares.topk(_FEW)
        if float(few.sum()) > together:
            return few, ids
    return shares.sort(descending=True)


def _or(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value
