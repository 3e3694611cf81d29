"""One answer: from a rendered prompt to text in pieces.

Models of GLM's family run on this program's own loop (:mod:`glm4v_tui.inference.language`). For
others, and for settings that only transformers knows, the loop is its ``generate``, with a streamer
that hands tokens on as they are chosen and a criterion that ends it between two of them.
"""

from __future__ import annotations

import contextlib
import inspect
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import torch
from transformers import Cache, LogitsProcessorList, StoppingCriteriaList

from glm4v_tui.engine.protocol import FinishReason, Sampling
from glm4v_tui.errors import EngineError, UsageError
from glm4v_tui.inference.draft import Answered, Draft
from glm4v_tui.inference.generating import StopWhen, extended, go_on_with, set_seed, told
from glm4v_tui.inference.language.batch import Batch, Row
from glm4v_tui.inference.language.choice import settings_of
from glm4v_tui.inference.language.guard import require_numbers
from glm4v_tui.inference.language.kv_cache import KvCache
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glm4v_tui.engine.protocol import ResultForm
    from glm4v_tui.inference.language.choice import Settings
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


@dataclass
class AnswerRun:
    """The state of the answer that is being written; read by other threads for memory figures."""

    tokens: list[int] = field(default_factory=list)
    cache: Any = None
    position: int | None = None
    """Of the token that follows those in the cache, for models that do not count by themselves."""

    def kv_bytes(self) -> int:
        """Bytes of the keys and values held now."""
        if isinstance(self.cache, KvCache):
            return self.cache.nbytes
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
        self._defaults = model.generation_config
        # generate() fills what is None from the model's: there must be nothing that forbids.
        model.generation_config = deepcopy(model.generation_config)
        leave_to_the_form(model.generation_config)
        self._stop_ids = stop_ids_of(self._defaults, tokenizer)
        self._hidden = hidden_ids_of(tokenizer, self._stop_ids)
        self._blocks = _blocks(model)
        self._accepted = frozenset(inspect.signature(model.forward).parameters)
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
    ) -> Answered:
        """Write one answer.

        Args:
            on_text: Told (text, tokens behind it), the first token's at once.
            should_stop: Asked before every step; True ends the answer with what is written.
            form: What the answer is bound to; None for free text.
            draft: What an attempt before has written, to be gone on with: nothing of it is
                written or told again.

        Raises:
            UsageError: the prompt does not fit the model's context.
            EngineError: the form cannot be used.
        """
        draft = draft or Draft()
        room = self._room(prompt, sampling.max_new_tokens, len(draft.tokens))
        config = self._config(sampling, room, form)
        if draft.tokens:
            go_on_with(config, len(draft.tokens))
        elif draft.sink is None:
            set_seed(sampling.seed)
        sink = draft.sink or self._begin(draft, prompt, on_text, form)
        self.run = run = AnswerRun(sink.tokens)
        settings = settings_of(config, sampling.seed) if self._may_write() else None
        if self.own is not None and settings is not None:
            run.cache = self.own.cache
            self._write(prompt, settings, room, draft, should_stop)
        else:
            self._generate(prompt, config, draft, should_stop)
        return self._answered(sink, should_stop, run.kv_bytes())

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
        if settings is None or not self.writes_together:
            raise EngineError("This answer cannot be written together with others")
        sink = draft.sink or self._begin(draft, prompt, on_text, form, _UNWATCHED_S)

        def take(token: int) -> bool:
            sink.take(token)
            return token in self._stop_ids

        tokens = list(sink.tokens)
        row = Row(prompt, settings, written + room, draft.mask, take, should_stop, tokens)
        return row, lambda: self._answered(sink, should_stop, 0)

    @property
    def writes_together(self) -> bool:
        """Whether several answers can be written at a time."""
        return self._may_write()

    def can_join(self, sampling: Sampling, form: ResultForm | None) -> bool:
        """Whether such answers can be written together with others."""
        if not self.writes_together:
            return False
        return settings_of(self._config(sampling, 1, form), sampling.seed) is not None

    def new_batch(self) -> Batch:
        """Rows for answers of this model."""
        assert self.own is not None
        return Batch(self.own, watched=self._stoppable)

    def _answered(self, sink: TokenSink, should_stop: ShouldStop, kv_bytes: int) -> Answered:
        sink.finish()
        return Answered(
            reason=self._reason(sink.tokens, should_stop),
            tokens=tuple(sink.tokens),
            first_token_at=sink.first_token_at,
            last_token_at=sink.last_token_at,
            kv_bytes=kv_bytes,
        )

    def _may_write(self) -> bool:
        """Whether this program's own loop is to be used: its cache is where the model is."""
        return self.own is not None and not self.keeps_kv_in_host

    def _write(
        self,
        prompt: Prompt,
        settings: Settings,
        limit: int,
        draft: Draft,
        should_stop: ShouldStop,
    ) -> None:
        """On the loop of this program.

        Args:
            limit: Of tokens that are still to come.
        """
        sink = draft.sink
        assert self.own is not None
        assert sink is not None
        begun: Begun | None = None
        with self._stoppable(should_stop), contextlib.suppress(Stopped):
            begun = self.own.begin(prompt, limit, should_stop, sink.tokens)
        if begun is None or should_stop():
            return
        require_numbers(begun.logits)
        before = [*prompt.inputs["input_ids"][0].tolist(), *sink.tokens]
        for token in self.own.tokens(begun, settings, before, limit, draft.mask, len(sink.tokens)):
            sink.take(token)
            if token in self._stop_ids or should_stop():
                break

    def _generate(self, prompt: Prompt, config: Any, draft: Draft, should_stop: ShouldStop) -> None:
        """On transformers' loop."""
        sink, mask = draft.sink, draft.mask
        assert sink is not None
        with (
            torch.inference_mode(),
            contextlib.suppress(_Stopped),
            self._watched(self.run, should_stop) as forget_hooks,
            told(sink, forget_hooks),
        ):
            self._model.generate(
                **extended(self._inputs(prompt), sink.tokens),
                generation_config=config,
                streamer=sink,
                logits_processor=LogitsProcessorList([] if mask is None else [mask]),
                stopping_criteria=StoppingCriteriaList([StopWhen(should_stop)]),
            )

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

    def read(self, prompt: Prompt, room: int, should_stop: ShouldStop) -> torch.Tensor | None:
        """Read a prompt; its keys and values are in ``run.cache`` then.

        Args:
            room: Tokens that are to come after it.

        Returns:
            The logits of the next token, float32, of shape (vocabulary,); None when stopped.

        Raises:
            UsageError: the prompt does not fit the model's context.
        """
        if self._room(prompt, room) < room:
            raise _too_long(prompt, self._context_length or 0)
        greedy = Sampling(max_new_tokens=1, temperature=0)
        self.run = run = AnswerRun()
        if (count := getattr(self._model, "next_position", None)) is not None:
            run.position = count(prompt.inputs["input_ids"])
        with (
            torch.inference_mode(),
            contextlib.suppress(_Stopped),
            self._watched(run, should_stop),
        ):
            read = self._model.generate(
                **self._inputs(prompt),
                generation_config=self._config(greedy, 1, None),
                return_dict_in_generate=True,
                output_logits=True,
            )
            logits = cast(torch.Tensor, read.logits[0][0].float())
            require_numbers(logits)
            return logits
        return None

    def go_on(self, ids: torch.Tensor, should_stop: ShouldStop) -> torch.Tensor | None:
        """Read tokens after those in ``run.cache``, which grows by them.

        Args:
            ids: Of shape (batch, tokens), the batch as large as the cache's; rows that are
                shorter are padded on the right, where nothing before the padding sees it.

        Returns:
            The logits after each token, float32, of shape (batch, tokens, vocabulary); None when
            stopped.
        """
        inputs: dict[str, Any] = {self._cache_name: self.run.cache, "use_cache": True}
        if self.run.position is not None:
            places = torch.arange(ids.shape[1], device=ids.device) + self.run.position
            inputs["position_ids"] = places.expand_as(ids)
            self.run.position += ids.shape[1]
        with torch.inference_mode(), self._stoppable(should_stop):
            return cast(torch.Tensor, self._model(input_ids=ids, **inputs).logits.float())
        return None

    def read_whole(
        self, prompt: Prompt, answer: list[int], should_stop: ShouldStop
    ) -> torch.Tensor | None:
        """Read a prompt and an answer in one pass, without keys and values of before.

        Returns:
            The logits of the answer's tokens, float32, of shape (tokens, vocabulary); None when
            stopped.
        """
        inputs = extended(self._inputs(prompt), answer) | {"use_cache": False}
        if "logits_to_keep" in self._accepted:  # of all the prompt they would take gigabytes
            inputs["logits_to_keep"] = len(answer) + 1
        with torch.inference_mode(), self._stoppable(should_stop):
            logits = self._model(**inputs).logits[0]
            return cast(torch.Tensor, logits[-len(answer) - 1 : -1].float())
        return None

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

    def _inputs(self, prompt: Prompt) -> dict[str, Any]:
        inputs = dict(prompt.inputs.to(self._model.device, dtype=self._model.dtype))
        if "token_type_ids" not in self._accepted:  # some tokenizers add them for BERT's sake
            inputs.pop("token_type_ids", None)
        return inputs

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

    @property
    def _cache_name(self) -> str:
        """``past_key_values`` is called ``cache`` since transformers 5.24."""
        return "cache" if "cache" in self._accepted else "past_key_values"

    @contextlib.contextmanager
    def _stoppable(self, should_stop: ShouldStop) -> Iterator[None]:
        """Leave what is computed in here between two layers, when it is to stop."""
        hooks = self._stop_hooks(should_stop)
        try:
            with contextlib.suppress(_Stopped):
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _stop_hooks(self, should_stop: ShouldStop) -> list[Any]:
        def stop_here(*_: Any) -> None:
            if should_stop():
                raise _Stopped

        return [block.register_forward_pre_hook(stop_here) for block in self._blocks]

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
            # By its class: ``past_key_values`` has been called ``cache`` since transformers 5.24.
            run.cache = next((value for value in kwargs.values() if isinstance(value, Cache)), None)

        hooks = self._stop_hooks(should_stop)
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


def _decoding(tokenizer: Any) -> Callable[[list[int]], str]:
    def decode(ids: list[int]) -> str:
        text: str = tokenizer.decode(
            ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    return decode


def own_loop(model: Any) -> Writer | None:
    """This program's loop for a model; None where only transformers knows it."""
    stack, sight = stack_of(model), sight_of(model)
    return None if stack is None or sight is None else Writer(stack, sight)


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
