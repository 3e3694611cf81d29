"""A session's turn as it is kept, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.chat import Message, Role
from glm4v_tui.engine.protocol import FinishReason, Timing, Usage
from glm4v_tui.errors import (
    GlmError,
    ImageError,
    ServerError,
    WithheldError,
    WorkerDiedError,
)
from glm4v_tui.plain import plain_line
from glm4v_tui.session import Turn, TurnState

# Not with the types: what is decoded into needs its fields' types at run time.
from glm4v_tui.store.chat_values import OVER, KeptTurn
from glm4v_tui.store.sent import UNNAMED_TASK
from glm4v_tui.tasks.call import TaskCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.chat import Attachment

NOT_KEPT = "/place not kept (private task)"
"""Stands for the path of an image that a private task was asked about."""

_TITLE = 80
"""Characters of a title that nobody gave."""


class _Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    title: str
    body: str = ""
    remedy: str = ""
    kind: str = ""
    """What the session asks of an error: ``image``, ``worker``, ``server``, or none of
    these."""


class Details(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a turn besides its texts."""

    tokens: int = 0
    reason: FinishReason | None = None
    usage: Usage = Usage()
    timing: Timing = Timing()
    error: _Failure | None = None
    model: str = ""


def kept(
    turn: Turn, parent: str | None, *, asked_at: float, is_private: bool, model: str
) -> KeptTurn:
    """The turn as it is now.

    Args:
        parent: The turn before it.
        asked_at: Seconds since 1970.
        is_private: Its task must not tell where its images lie.
        model: That answers it; "" when that is not known yet.
    """
    details = Details(
        turn.tokens,
        turn.reason,
        turn.usage,
        turn.timing,
        _failure(turn.error, is_private=is_private) if turn.error else None,
        model,
    )
    return KeptTurn(
        id=turn.request_id,
        question=turn.question.text,
        attachments=turn.question.attachments,
        parent=parent,
        asked_at=asked_at,
        call=msgspec.json.encode(turn.call).decode() if turn.call else None,
        is_private=is_private,
        state=turn.state,
        raw=turn.raw,
        details=msgspec.json.encode(details).decode(),
    )


def details_of(turn: KeptTurn) -> Details:
    return msgspec.json.decode(turn.details, type=Details)


def restored(turn: KeptTurn) -> Turn:
    """A turn to go on with. One that was not over was cut off: nobody answers it any more."""
    details = details_of(turn)
    is_over = turn.state in OVER and turn.state != "interrupted"
    call = msgspec.json.decode(turn.call, type=TaskCall) if turn.call else None
    return Turn(
        Message(Role.USER, turn.question, tuple(map(placed, turn.attachments))),
        request_id=turn.id,
        state=TurnState(turn.state) if is_over else TurnState.FAILED,
        raw=turn.raw,
        tokens=details.tokens,
        reason=details.reason,
        usage=details.usage,
        timing=details.timing,
        error=_error(details.error) if is_over else cut_off(turn),
        call=call,
        private_task=(call.task if call else UNNAMED_TASK) if turn.is_private else "",
        is_sent=True,
    )


def placed(image: Attachment) -> Attachment:
    """The image, with a path that says why it has none."""
    return image if image.path else msgspec.structs.replace(image, path=NOT_KEPT)


def cut_off(turn: KeptTurn) -> WorkerDiedError:
    begun = "its answer was whole" if turn.raw else "this was answered"
    return WorkerDiedError(f"The program ended before {begun}", "", "Ask it again.")


def title_of(turns: Sequence[Turn]) -> str:
    """What a chat is called until its user calls it something; "" without turns."""
    if not turns:
        return ""
    question, call = turns[0].question, turns[0].call
    words = (call.words or f"{call.task}: {question.text}") if call else question.text
    line = " ".join(plain_line(words).split())
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1].rstrip()}…"


def _failure(error: GlmError, *, is_private: bool) -> _Failure:
    kind = "image" if isinstance(error, ImageError) else ""
    kind = "worker" if isinstance(error, WorkerDiedError) else kind
    kind = "server" if isinstance(error, ServerError | WithheldError) else kind
    body = "" if is_private else error.body  # it may name the file
    title = "" if is_private and kind == "image" else error.title
    return _Failure(title or "The image could not be used", body, error.remedy, kind)


def _error(failure: _Failure | None) -> GlmError | None:
    if failure is None:
        return None
    kinds: dict[str, type[GlmError]] = {
        "image": ImageError,
        "worker": WorkerDiedError,
        "server": ServerError,
    }
    return kinds.get(failure.kind, GlmError)(failure.title, failure.body, failure.remedy)
