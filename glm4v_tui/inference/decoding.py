"""One answer: from a rendered prompt to text in pieces.

Models of GLM's family run on this program's own loop (:mod:`glm4v_tui.inference.language`). For
others, and for settings that only transformers knows, the loop is its ``generate``, with a streamer
that hands tokens on as they are chosen and a criterion that ends it between two of them.
"""

from __future__ import annotations

import contextlib
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

import torch

from glm4v_tui.engine.protocol import FinishReason, Sampling
from glm4v_tui.errors import EngineError, UsageError
from glm4v_tui.inference.draft import Answered, Draft
from glm4v_tui.inference.generating import go_on_with, set_seed
from glm4v_tui.inference.language.batch import Batch, Row
from glm4v_tui.inference.language.choice import settings_of
from glm4v_tui.inference.language.guard import require_numbers
from glm4v_tui.inference.language.sight import sight_of
from glm4v_tui.inference.language.stack import stack_of
from glm4v_tui.inference.language.writer import Stopped, Writer
from glm4v_tui.inference.sampling import (
    hidden_ids_of,
    leave_to_the_form,
    set_sampling,
    stop_ids_of,
)
from glm4v_tui.inference.text_stream import TextStream
from glm4v_tui.inference.token_sink import TokenSink
from glm4v_tui.inference.transformers_loop import AnswerRun, TransformersLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glm4v_tui.engine.protocol import ResultForm
    from glm4v_tui.inference.language.choice import Settings
    from glm4v_tui.inference.language.reading import OnRead
    from glm4v_tui.inference.language.writer import Begun
    from glm4v_tui.inference.prompt import Prompt
    from glm4v_tui.inference.result_form import FormBinder, ResultMask
    from glm4v_tui.inference.token_sink import OnText

    ShouldStop = Callable[[], bool]

_THINK = "<think>\n"
_WATCHED_S, _UNWATCHED_S = 0.02, 0.25
"""Tokens that come closer together than this travel together: for eyes, and for nobody's."""
_LARGE = 16_384
"""Tokens of a vocabulary from which on binding answers is prepared ahead: a second for 150,000."""


class Decoder:
    """Writes answers with one model."""

    def __init__(self, model: Any, tokenizer: Any, context_length: int | None) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._context_length = context_length
        self._defaults = model.generation_config
        # generate() fills what is None from the model's: there must be nothing that forbids.
        model.generation_config = deepcopy(model.generation_config)
        leave_to_the_form(model.generation_config)
        self._stop_ids = stop_ids_of(self._defaults, tokenizer)
        self._hidden = hidden_ids_of(tokenizer, self._stop_ids)
        self.loop = TransformersLoop(model)
        self._width: int = model.get_output_embeddings().out_features
        self._binder: FormBinder | None = None
        self.own = own_loop(model)
        """None for a model that only transformers can run."""
        self.keeps_kv_in_host = False
        """Keys and values of a layer come to the GPU while it computes; the tokens are the same."""
        self.run = AnswerRun()

    def answer(
        self,
        prompt: Prompt,
        sampling: Sampling,
        on_text: OnText,
        should_stop: ShouldStop,
        form: ResultForm | None = None,
        draft: Draft | None = None,
        on_read: OnRead | None = None,
    ) -> Answered:
        """Write one answer.

        Args:
            on_text: Told (text, tokens behind it), the first token's at once.
            should_stop: Asked before every step; True ends the answer with what is written.
            form: What the answer is bound to; None for free text.
            draft: What an attempt before has written, to be gone on with: nothing of it is
                written or told again. Its last text is told by its owner, with ``finish``.
            on_read: Told how far the prompt is read, on this program's own loop.

        Raises:
            UsageError: the prompt does not fit the model's context.
            EngineError: the form cannot be used.
        """
        is_own, draft = draft is None, draft or Draft()
        room = self._room(prompt, sampling.max_new_tokens, len(draft.tokens))
        most = len(draft.tokens) + room
        config = self._config(sampling, room, form)
        if draft.tokens:
            go_on_with(config, len(draft.tokens))
        elif draft.sink is None:
            set_seed(sampling.seed)
        draft.draw_on()
        sink = draft.sink or self._begin(draft, prompt, on_text, form)
        self.run = run = AnswerRun(sink.tokens)
        settings = settings_of(config, sampling.seed) if self.runs_own_loop else None
        if self.own is not None and settings is not None:
            self._write(prompt, settings, room, draft, should_stop, on_read)
        else:
            self.loop.generate(prompt, config, draft, run, should_stop)
        if is_own:
            sink.finish()
        return self._answered(sink, most, should_stop, run.kv_bytes())

    def row(
        self,
        prompt: Prompt,
        sampling: Sampling,
        on_text: OnText,
        should_stop: ShouldStop,
        form: ResultForm | None = None,
        draft: Draft | None = None,
    ) -> tuple[Row, Callable[[], Answered]]:
        """An answer for a :class:`Batch`, and how it has ended; arguments as for :meth:`answer`.

        Raises:
            UsageError, EngineError: as :meth:`answer`; and where :meth:`can_join` says no.
        """
        draft = draft or Draft()
        written = len(draft.tokens)
        room = self._room(prompt, sampling.max_new_tokens, written)
        settings = settings_of(self._config(sampling, room, form), sampling.seed)
        if settings is None or not self.runs_own_loop:
            raise EngineError("This answer cannot be written together with others")
        sink = draft.sink or self._begin(draft, prompt, on_text, form, _UNWATCHED_S)

        def take(token: int) -> bool:
            sink.take(token)
            return token in self._stop_ids

        def end() -> Answered:
            sink.finish()
            return self._answered(sink, written + room, should_stop, 0)

        tokens = list(sink.tokens)
        row = Row(prompt, settings, written + room, draft.mask, take, should_stop, tokens)
        return row, end

    def can_join(self, sampling: Sampling, form: ResultForm | None) -> bool:
        """Whether such answers can be written together with others."""
        if not self.runs_own_loop:
            return False
        return settings_of(self._config(sampling, 1, form), sampling.seed) is not None

    def new_batch(self) -> Batch:
        """Rows for answers of this model."""
        assert self.own is not None
        return Batch(self.own, watched=self.loop.stoppable)

    def _answered(
        self, sink: TokenSink, most: int, should_stop: ShouldStop, kv_bytes: int
    ) -> Answered:
        return Answered(
            reason=self._reason(sink.tokens, most, should_stop),
            tokens=tuple(sink.tokens),
            first_token_at=sink.first_token_at,
            last_token_at=sink.last_token_at,
            kv_bytes=kv_bytes,
        )

    @property
    def runs_own_loop(self) -> bool:
        """Whether this program's own loop is used, which can write several answers at a time: its
        cache is where the model is."""
        return self.own is not None and not self.keeps_kv_in_host

    def _write(
        self,
        prompt: Prompt,
        settings: Settings,
        limit: int,
        draft: Draft,
        should_stop: ShouldStop,
        on_read: OnRead | None,
    ) -> None:
        """On the loop of this program.

        Args:
            limit: Of tokens that are still to come.
        """
        sink = draft.sink
        assert self.own is not None
        assert sink is not None
        begun = self.begin(prompt, limit, should_stop, sink.tokens, on_read)
        if begun is None or should_stop():
            return
        before = [*prompt.inputs["input_ids"][0].tolist(), *sink.tokens]
        mask = draft.mask
        tokens = self.own.tokens(
            *(begun, settings, before, limit, mask, len(sink.tokens)),
            forced=None if mask is None else mask.forced,
        )
        for token in tokens:
            sink.take(token)
            if token in self._stop_ids or should_stop():
                break

    def _begin(
        self,
        draft: Draft,
        prompt: Prompt,
        on_text: OnText,
        form: ResultForm | None,
        every_s: float = _WATCHED_S,
    ) -> TokenSink:
        text = TextStream(_decoding(self._tokenizer), self._hidden)
        mask = draft.mask = self._mask(form, prompt)
        sink = draft.sink = TokenSink(
            text, on_text, _THINK if prompt.opens_thinking else "", every_s
        )
        if mask is not None:
            sink.on_token = mask.take
        return sink

    def begin(
        self,
        prompt: Prompt,
        room: int,
        should_stop: ShouldStop,
        written: Sequence[int] = (),
        on_read: OnRead | None = None,
    ) -> Begun | None:
        """Read on this program's own loop what its cache does not hold; see :meth:`Writer.begin`.

        The cache is in ``run`` then.

        Returns:
            None when it was stopped.

        Raises:
            EngineError: the model computes no numbers.
        """
        assert self.own is not None
        self.run.cache = self.own.cache
        begun: Begun | None = None
        with self.loop.stoppable(should_stop), contextlib.suppress(Stopped):
            begun = self.own.begin(prompt, room, should_stop, written, on_read)
            require_numbers(begun.logits)
        return begun

    def require_room(self, prompt: Prompt, room: int) -> None:
        """Raises UsageError: so many tokens do not fit into the model's context any more."""
        if self._room(prompt, room) < room:
            raise _too_long(prompt, self._context_length or 0)

    def read(self, prompt: Prompt, should_stop: ShouldStop) -> torch.Tensor | None:
        """Read a prompt on transformers' loop, see :meth:`TransformersLoop.read`."""
        self.run = AnswerRun()
        config = self._config(Sampling(max_new_tokens=1, temperature=0), 1, None)
        return self.loop.read(prompt, config, self.run, should_stop)

    @property
    def model(self) -> Any:
        return self._model

    @property
    def device(self) -> torch.device:
        return cast(torch.device, self._model.device)

    @property
    def tokenizer(self) -> Any:
        return self._tokenizer

    @property
    def kept_bytes(self) -> int:
        """Of keys, values and image features that are kept for the next question."""
        return self.own.kept_bytes if self.own is not None else 0

    def release(self) -> None:
        """Give those back."""
        if self.own is not None:
            self.own.release()

    def _mask(self, form: ResultForm | None, prompt: Prompt) -> ResultMask | None:
        if form is None:
            return None
        return self._form_binder().bind(form, opens_thinking=prompt.opens_thinking)

    def prepare_forms(self) -> None:
        """Begin what the first bound answer needs, in a thread, where it would take long."""
        if self._width >= _LARGE:
            self._form_binder()

    def _form_binder(self) -> FormBinder:
        if self._binder is None:  # not with a small model: a chat without a task needs none
            from glm4v_tui.inference.result_form import FormBinder

            self._binder = FormBinder(self._tokenizer, self._width, self._stop_ids)
        return self._binder

    def _room(self, prompt: Prompt, wanted: int, written: int = 0) -> int:
        """New tokens that fit: what was asked for, or what the context leaves."""
        wanted -= written
        if self._context_length is None:
            return wanted
        room = self._context_length - prompt.tokens - written
        if room < 1:
            raise _too_long(prompt, self._context_length)
        return min(wanted, room)

    def _config(self, sampling: Sampling, max_new_tokens: int, form: ResultForm | None) -> Any:
        config = deepcopy(self._defaults)
        config.max_length = None
        config.max_new_tokens = max_new_tokens
        config.num_beams = 1
        config.num_return_sequences = 1
        config.disable_compile = True  # compiling for minutes is not what a question is for
        config.eos_token_id = sorted(self._stop_ids)
        if config.pad_token_id is None:
            config.pad_token_id = config.eos_token_id[0] if config.eos_token_id else 0
        set_sampling(config, sampling)
        if self.keeps_kv_in_host:
            config.cache_implementation = "offloaded"
        if form is not None:
            leave_to_the_form(config)
        return config

    def _reason(self, tokens: list[int], most: int, should_stop: ShouldStop) -> FinishReason:
        if tokens and tokens[-1] in self._stop_ids:
            return FinishReason.STOP
        is_short = len(tokens) < most
        return FinishReason.ABORT if is_short and should_stop() else FinishReason.LENGTH


def _decoding(tokenizer: Any) -> Callable[[list[int]], str]:
    def decode(ids: list[int]) -> str:
        text: str = tokenizer.decode(
            ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    return decode


def _seed(seed: int | None) -> None:
    """Repeatable with a seed; without one different on every start, which torch is not."""
    if seed is None:
        torch.seed()
    else:
        torch.manual_seed(seed)


def own_loop(model: Any) -> Writer | None:
    """This program's loop for a model; None where only transformers knows it."""
    stack, sight = stack_of(model), sight_of(model)
    return None if stack is None or sight is None else Writer(stack, sight)


def _too_long(prompt: Prompt, limit: int) -> UsageError:
    images = f", {prompt.image_tokens:,} of them for images" if prompt.image_tokens else ""
    return UsageError(
        "The conversation is too long for this model",
        f"It takes {prompt.tokens:,} tokens{images}; the model reads {limit:,}, answer included.",
        "Start a new conversation, or ask about fewer or smaller images, or about a crop.",
    )
