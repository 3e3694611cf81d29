"""A question as it goes over the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from glm4v_tui.chat import Message
    from glm4v_tui.engine.protocol import Sampling
    from glm4v_tui.engine.remote.dialects import Dialect
    from glm4v_tui.engine.remote.gate import Cleared

TOP_LOGPROBS = 20
"""The most that this interface gives."""
_ALL_TOKENS = 131_072
"""As far back as a penalty looks on this machine: over question and answer, however long. Newer
llama.cpp refuses -1, which older ones took for the same."""


@dataclass(frozen=True)
class Body:
    """A request's content, as bytes that are ready to be sent."""

    content: bytes
    images: int


def body_of(fields: dict[str, Any], images: int) -> Body:
    """All fields that have a value."""
    told = {name: value for name, value in fields.items() if value is not None}
    return Body(msgspec.json.encode(told), images)


def messages_of(messages: Sequence[Message], images: Mapping[str, Cleared]) -> list[dict[str, Any]]:
    """Messages with their images before their text, as the models were trained.

    Args:
        images: By ``Attachment.key``.
    """
    return [_message(message, images) for message in messages]


def _message(message: Message, images: Mapping[str, Cleared]) -> dict[str, Any]:
    if not message.attachments:
        return {"role": message.role.value, "content": message.text}
    shown = [
        {"type": "image_url", "image_url": {"url": images[one.key].data_url}}
        for one in message.attachments
    ]
    text = [{"type": "text", "text": message.text}] if message.text else []
    return {"role": message.role.value, "content": [*shown, *text]}


def sampling_fields(sampling: Sampling, dialect: Dialect, limit_name: str) -> dict[str, Any]:
    """How tokens are chosen, in what the server understands; the rest is left to it."""
    fields: dict[str, Any] = {
        limit_name: sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
    }
    if dialect.top_k:
        fields[dialect.top_k] = sampling.top_k
    if dialect.penalty:
        fields[dialect.penalty] = sampling.repetition_penalty
    if dialect.penalty_reach and sampling.repetition_penalty is not None:
        fields[dialect.penalty_reach] = _ALL_TOKENS
    return fields


def stream_fields(dialect: Dialect) -> dict[str, Any]:
    """A stream, with what it took at its end."""
    usage = {"include_usage": True} if dialect.wants_usage else None
    return {"stream": True, "stream_options": usage}


def at_once_fields(dialect: Dialect) -> dict[str, Any]:
    """No thought before the answer, where the server hands that on to the model's template."""
    words = {"enable_thinking": False} if dialect.takes_template_words else None
    return {"chat_template_kwargs": words}


def schema_fields(schema: str) -> dict[str, Any]:
    """An answer that is one JSON value of a schema."""
    form = {"name": "result", "schema": msgspec.json.decode(schema), "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": form}}
