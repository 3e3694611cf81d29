"""One answer: from a rendered prompt to text in pieces.

The loop is transformers' own ``generate``; this module gives it a streamer that hands tokens on
as they are chosen and a criterion that ends it between two of them.
"""

from __future__ import annotations

import contextlib
import time
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from glm4v_tui.engine.protocol import FinishReason, Sampling
from glm4v_tui.errors import UsageError
from glm4v_tui.inference.text_stream import TextStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glm4v_tui.inference.prompt import Prompt

    OnText = Callable[[str, int], None]
    ShouldStop = Callable[[], bool]

_EMIT_EVERY_S = 0.02
"""Tokens that come closer together than this travel together."""
_THINK = "<think>\n"
_MARKS = (
    "<think>", "</think>", "<answer>", "</answer>", "<|begin_of_box|>", "<|end_of_box|>",
)  # fmt: skip
"""Special in some tokenizers, but part of the answer: ``chat.split_answer`` reads them."""


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


@dataclass
class AnswerRun:
    """The state of the answer that is being written; read by other threads for memory figures."""

    cache: Any = None
    tokens: list[int] = field(default_factory=list)

    def kv_bytes(self) -> int:
        """Bytes of the keys and values held now."""
        return sum(
            value.nbytes
            for layer in getattr(self.cache, "layers", ())
            for value in vars(layer).values()
            if isinstance(value, torch.Tensor)
        )


class Decoder:
    """Writes answers with one model."""

    def __init__(self, model: Any, tokenizer: Any, context_length: int | None) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._context_length = context_length
        self._stop_ids = _stop_ids(model.generation_config, tokenizer)
        self._hidden = _hidden_ids(tokenizer, self._stop_ids)
        self._blocks = _blocks(model)
        self.run = AnswerRun()

    def answer(
        self, prompt: Prompt, sampling: Sampling, on_text: OnText, should_stop: ShouldStop
    ) -> Answered:
        """Write one answer.

        Args:
            on_text: Told (text, tokens behind it), the first token's at once.
            should_stop: Asked before every step; True ends the answer with what is written.

        Raises:
            UsageError: the prompt does not fit the model's context.
        """
        self.run = run = AnswerRun()
        config = self._config(sampling, self._room(prompt, sampling.max_new_tokens))
        text = TextStream(self._decode, self._hidden)
        sink = _Sink(run, text, on_text, _THINK if prompt.opens_thinking else "")
        inputs = prompt.inputs.to(self._model.device, dtype=self._model.dtype)
        if sampling.seed is not None:
            torch.manual_seed(sampling.seed)
        with (
            torch.inference_mode(),
            contextlib.suppress(_Stopped),
            self._watched(run, should_stop) as sink.on_first_token,
        ):
            self._model.generate(
                **inputs,
                generation_config=config,
                streamer=sink,
                stopping_criteria=StoppingCriteriaList([_StopWhen(should_stop)]),
            )
        sink.finish()
        return Answered(
            reason=self._reason(run.tokens, should_stop),
            tokens=tuple(run.tokens),
            first_token_at=sink.first_token_at,
            last_token_at=sink.last_token_at,
            kv_bytes=run.kv_bytes(),
        )

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(
            ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    def _room(self, prompt: Prompt, wanted: int) -> int:
        """New tokens that fit: what was asked for, or what the context leaves."""
        if self._context_length is None:
            return wanted
        room = self._context_length - prompt.tokens
        if room < 1:
            raise _too_long(prompt, self._context_length)
        return min(wanted, room)

    def _config(self, sampling: Sampling, max_new_tokens: int) -> Any:
        config = deepcopy(self._model.generation_config)
        config.max_length = None
        config.max_new_tokens = max_new_tokens
        config.num_beams = 1
        config.num_return_sequences = 1
        config.eos_token_id = sorted(self._stop_ids)
        if config.pad_token_id is None:
            config.pad_token_id = config.eos_token_id[0] if config.eos_token_id else 0
        _set_sampling(config, sampling)
        return config

    def _reason(self, tokens: list[int], should_stop: ShouldStop) -> FinishReason:
        if tokens and tokens[-1] in self._stop_ids:
            return FinishReason.STOP
        return FinishReason.ABORT if should_stop() else FinishReason.LENGTH

    @contextlib.contextmanager
    def _watched(self, run: AnswerRun, should_stop: ShouldStop) -> Iterator[Callable[[], None]]:
        """Note the cache, and let the reading of a long prompt be stopped between two layers.

        The hooks are needed until the first token; the value of this context removes them.
        """

        def note_cache(_: Any, __: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            run.cache = kwargs.get("past_key_values")

        def stop_here(*_: Any) -> None:
            if should_stop():
                raise _Stopped

        hooks = [block.register_forward_pre_hook(stop_here) for block in self._blocks]
        hooks.append(self._model.register_forward_pre_hook(note_cache, with_kwargs=True))

        def remove() -> None:
            while hooks:
                hooks.pop().remove()

        try:
            yield remove
        finally:
            remove()


class _Stopped(Exception):  # noqa: N818 - not an error
    """Leaves the reading of the prompt."""


class _StopWhen(StoppingCriteria):  # type: ignore[misc]
    def __init__(self, should_stop: ShouldStop) -> None:
        self._should_stop = should_stop

    def __call__(self, input_ids: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self._should_stop(), device=input_ids.device)


class _Sink(BaseStreamer):  # type: ignore[misc]
    """Takes tokens from ``generate``; hands on text, a few tokens at a time when they come fast."""

    def __init__(self, run: AnswerRun, text: TextStream, on_text: OnText, opening: str) -> None:
        self._run = run
        self._text = text
        self._on_text = on_text
        self._pending = opening
        self._pending_tokens = 0
        self._told_at = 0.0
        self._has_seen_prompt = False
        self.on_first_token: Callable[[], None] = lambda: None
        self.first_token_at: float | None = None
        self.last_token_at: float | None = None

    def put(self, value: torch.Tensor) -> None:
        if not self._has_seen_prompt:  # generate hands over the prompt's ids first
            self._has_seen_prompt = True
            return
        for token in value.flatten().tolist():
            self._take(token)

    def end(self) -> None:
        """Told when generate is done; :meth:`finish` also serves when it was left early."""

    def finish(self) -> None:
        self._pending += self._text.rest()
        if self._pending or self._pending_tokens:
            self._tell(time.monotonic())

    def _take(self, token: int) -> None:
        now = time.monotonic()
        if self.first_token_at is None:
            self.first_token_at = now
            self.on_first_token()
        self.last_token_at = now
        self._run.tokens.append(token)
        self._pending += self._text.feed(token)
        self._pending_tokens += 1
        if self._pending and now - self._told_at >= _EMIT_EVERY_S:
            self._tell(now)

    def _tell(self, now: float) -> None:
        self._on_text(self._pending, self._pending_tokens)
        self._pending, self._pending_tokens, self._told_at = "", 0, now


def _set_sampling(config: Any, sampling: Sampling) -> None:
    """Write the user's choices over the checkpoint's; None leaves the checkpoint's."""
    if sampling.repetition_penalty is not None:
        config.repetition_penalty = sampling.repetition_penalty
    if sampling.temperature == 0:
        config.do_sample = False
        # Not None: generate would fill that from the checkpoint, and warn of unused settings.
        config.temperature, config.top_p, config.top_k = 1.0, 1.0, 50
        return
    chosen = {
        "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k,
    }  # fmt: skip
    for name, value in chosen.items():
        if value is not None:
            setattr(config, name, value)
            config.do_sample = True


def _stop_ids(generation_config: Any, tokenizer: Any) -> frozenset[int]:
    ends = generation_config.eos_token_id
    if ends is None:
        ends = tokenizer.eos_token_id
    if ends is None:
        return frozenset()
    return frozenset([ends] if isinstance(ends, int) else ends)


def _hidden_ids(tokenizer: Any, stop_ids: frozenset[int]) -> frozenset[int]:
    """Ids that leave no text: special tokens and stop ids, but not the marks of an answer."""
    special = {id_ for id_, token in tokenizer.added_tokens_decoder.items() if token.special}
    marks = {tokenizer.convert_tokens_to_ids(mark) for mark in _MARKS}
    unknown = {tokenizer.unk_token_id} if tokenizer.unk_token_id is not None else set()
    return frozenset((special | set(tokenizer.all_special_ids) | stop_ids) - (marks - unknown))


def _blocks(model: Any) -> list[Any]:
    """The layers of the language model and of the vision tower, in no order."""
    return [
        layer
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList) and not any(p.isdigit() for p in name.split("."))
        for layer in module
    ]


def _too_long(prompt: Prompt, limit: int) -> UsageError:
    images = f", {prompt.image_tokens:,} of them for images" if prompt.image_tokens else ""
    return UsageError(
        "The conversation is too long for this model",
        f"It takes {prompt.tokens:,} tokens{images}; the model reads {limit:,}, answer included.",
        "Start a new conversation, or ask about fewer or smaller images, or about a crop.",
    )
