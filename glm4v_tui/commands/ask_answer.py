"""What ``glm4v-tui ask --json`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from glm4v_tui.engine.protocol import ModelInfo
    from glm4v_tui.session import Turn


class AskTiming(msgspec.Struct, frozen=True):
    load_s: float
    first_token_s: float | None
    decode_tokens_per_s: float | None


class AskResult(msgspec.Struct, frozen=True):
    """One answer; the last four fields with a task only."""

    answer: str
    thinking: str
    finish_reason: str
    usage: dict[str, int | None]
    """``Usage.told``."""
    timing: AskTiming
    model: str
    precision: str
    device: str
    task: str | msgspec.UnsetType = msgspec.UNSET
    result: Any = msgspec.UNSET
    """The result as JSON; null when it is not whole."""
    warnings: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """What the task found doubtful."""
    notice: str | msgspec.UnsetType = msgspec.UNSET


def answer_of(turn: Turn, model: ModelInfo, named: str) -> AskResult:
    """A finished turn's answer.

    Args:
        named: The model as it was asked for.
    """
    assert turn.reason is not None
    timing = AskTiming(
        round(model.load_s, 3), turn.timing.first_token_s, turn.timing.decode_tokens_per_s
    )
    answer = turn.answer
    return AskResult(
        *(answer.text, answer.thinking, turn.reason.value, turn.usage.told, timing),
        *(named, model.precision, model.device),
    )
