"""What transformers' ``generate`` is given, so that it can be stopped and gone on with."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import torch
from transformers import StoppingCriteria

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glm4v_tui.inference.token_sink import TokenSink

    ShouldStop = Callable[[], bool]


def extended(inputs: dict[str, Any], ids: list[int]) -> dict[str, Any]:
    """A processor's output with tokens of text after it.

    What has a value for each token (``attention_mask``, ``mm_token_type_ids``) grows with it.
    """
    if not ids:
        return inputs
    before = inputs["input_ids"]
    more = torch.tensor([ids], device=before.device, dtype=before.dtype)
    grown = {"input_ids": torch.cat((before, more), dim=1)}
    for name, value in inputs.items():
        if name not in grown and getattr(value, "shape", None) == before.shape:
            fill = torch.full_like(more, int(name == "attention_mask"), dtype=value.dtype)
            grown[name] = torch.cat((value, fill), dim=1)
    return inputs | grown


@contextlib.contextmanager
def told(sink: TokenSink, on_first_token: Callable[[], None]) -> Iterator[None]:
    """One run of ``generate``; afterwards the sink remembers nothing of the model."""
    sink.begin(on_first_token)
    try:
        yield
    finally:
        sink.begin(lambda: None)


def go_on_with(config: Any, written: int) -> None:
    """What counts from the end of the prompt counts from where the answer began."""
    config.begin_suppress_tokens = config.forced_bos_token_id = None
    if config.min_new_tokens is not None:
        config.min_new_tokens = max(0, config.min_new_tokens - written)


class StopWhen(StoppingCriteria):  # type: ignore[misc]
    """Ends ``generate`` between two tokens."""

    def __init__(self, should_stop: ShouldStop) -> None:
        self._should_stop = should_stop

    def __call__(self, input_ids: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self._should_stop(), device=input_ids.device)


def set_seed(seed: int | None) -> None:
    """Repeatable with a seed; without one different on every start, which torch is not."""
    if seed is None:
        torch.seed()
    else:
        torch.manual_seed(seed)
