"""A model on transformers' own loop, ended between any two tokens or layers."""

from __future__ import annotations

import contextlib
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import torch
from transformers import Cache, LogitsProcessorList, StoppingCriteriaList

from glm4v_tui.inference.generating import StopWhen, extended, told
from glm4v_tui.inference.language.guard import require_numbers
from glm4v_tui.inference.language.kv_cache import KvCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glm4v_tui.inference.draft import Draft
    from glm4v_tui.inference.prompt import Prompt

    ShouldStop = Callable[[], bool]


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


class TransformersLoop:
    """``generate`` and single passes of a model."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._blocks = _blocks(model)
        self._accepted = frozenset(inspect.signature(model.forward).parameters)

    def generate(
        self, prompt: Prompt, config: Any, draft: Draft, run: AnswerRun, should_stop: ShouldStop
    ) -> None:
        """Write an answer, or go on with one.

        Args:
            config: A ``GenerationConfig``.
        """
        sink, mask = draft.sink, draft.mask
        assert sink is not None
        with (
            torch.inference_mode(),
            contextlib.suppress(_Stopped),
            self._watched(run, should_stop) as forget_hooks,
            told(sink, forget_hooks),
        ):
            self._model.generate(
                **extended(self._inputs(prompt), sink.tokens),
                generation_config=config,
                streamer=sink,
                logits_processor=LogitsProcessorList([] if mask is None else [mask]),
                stopping_criteria=StoppingCriteriaList([StopWhen(should_stop)]),
            )

    def read(
        self, prompt: Prompt, config: Any, run: AnswerRun, should_stop: ShouldStop
    ) -> torch.Tensor | None:
        """Read a prompt; its keys and values are in ``run.cache`` then.

        Returns:
            The logits of the next token, float32, of shape (vocabulary,); None when stopped.

        Raises:
            EngineError: the model computes no numbers.
        """
        if (count := getattr(self._model, "next_position", None)) is not None:
            run.position = count(prompt.inputs["input_ids"])
        with (
            torch.inference_mode(),
            contextlib.suppress(_Stopped),
            self._watched(run, should_stop),
        ):
            read = self._model.generate(
                **self._inputs(prompt),
                generation_config=config,
                return_dict_in_generate=True,
                output_logits=True,
            )
            logits = cast(torch.Tensor, read.logits[0][0].float())
            require_numbers(logits)
            return logits
        return None

    def go_on(
        self, run: AnswerRun, ids: torch.Tensor, should_stop: ShouldStop
    ) -> torch.Tensor | None:
        """Read tokens after those in ``run.cache``, which grows by them.

        Args:
            ids: Of shape (batch, tokens), the batch as large as the cache's; rows that are
                shorter are padded on the right, where nothing before the padding sees it.

        Returns:
            The logits after each token, float32, of shape (batch, tokens, vocabulary); None when
            stopped.
        """
        inputs: dict[str, Any] = {self._cache_name: run.cache, "use_cache": True}
        if run.position is not None:
            places = torch.arange(ids.shape[1], device=ids.device) + run.position
            inputs["position_ids"] = places.expand_as(ids)
            run.position += ids.shape[1]
        with torch.inference_mode(), self.stoppable(should_stop):
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
        with torch.inference_mode(), self.stoppable(should_stop):
            logits = self._model(**inputs).logits[0]
            return cast(torch.Tensor, logits[-len(answer) - 1 : -1].float())
        return None

    @contextlib.contextmanager
    def stoppable(self, should_stop: ShouldStop) -> Iterator[None]:
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

    def _inputs(self, prompt: Prompt) -> dict[str, Any]:
        inputs = dict(prompt.inputs.to(self._model.device, dtype=self._model.dtype))
        if "token_type_ids" not in self._accepted:  # some tokenizers add them for BERT's sake
            inputs.pop("token_type_ids", None)
        return inputs

    @property
    def _cache_name(self) -> str:
        """``past_key_values`` is called ``cache`` since transformers 5.24."""
        return "cache" if "cache" in self._accepted else "past_key_values"

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


def _blocks(model: Any) -> list[Any]:
    """The layers of the language model and of the vision tower, in no order."""
    return [
        layer
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList) and not any(p.isdigit() for p in name.split("."))
        for layer in module
    ]
