"""A kept conversation, read for a file: plain texts, and images where they can still be had."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.archive.catalog import image_name
from glm4v_tui.archive.turns import Details, cut_off, details_of, placed
from glm4v_tui.chat import Answer, split_answer
from glm4v_tui.errors import ImageError
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.results import result_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

    from glm4v_tui.chat import Attachment
    from glm4v_tui.store.chat_values import KeptChat, KeptTurn


@dataclass(frozen=True)
class SpokenTurn:
    """A turn with its parts told apart."""

    kept: KeptTurn
    answer: Answer
    task: str
    """The name of the task that asked; "" for the user's own question."""
    result: Any
    """What the task was answered, as JSON values; None where that is no JSON."""
    details: Details

    @property
    def failure(self) -> str:
        """Why there is no whole answer; "" when there is one."""
        if self.kept.state == "interrupted":
            return cut_off(self.kept).title
        return plain_line(self.details.error.title) if self.details.error else ""

    @property
    def asked_at(self) -> datetime:
        return datetime.fromtimestamp(self.kept.asked_at).astimezone()


@dataclass(frozen=True)
class Talk:
    chat: KeptChat
    turns: tuple[SpokenTurn, ...]


def talk_of(chat: KeptChat, turns: Sequence[KeptTurn]) -> Talk:
    return Talk(chat, tuple(map(_spoken, turns)))


def picture_of(image: Attachment, max_pixels: int | None = None) -> Image | None:
    """The picture as it was attached, upright RGB; None where it cannot be had any more."""
    from glm4v_tui import images

    limit = max_pixels or images.MAX_MODEL_PIXELS
    try:
        return images.reopen(placed(image), limit)
    except ImageError:
        return None


def image_words(image: Attachment) -> str:
    """An image in words: its file's name, its size."""
    part = ", a part of it" if image.crop else ""
    return f"{image_name(image.path)} ({image.width}×{image.height}{part})"


def encoded(image: Image, kind: str) -> bytes:
    """As the bytes of a file. ``kind``: PNG, or JPEG at a quality for looking at."""
    out = io.BytesIO()
    image.save(out, kind, **({"quality": 82} if kind == "JPEG" else {}))
    return out.getvalue()


def _spoken(turn: KeptTurn) -> SpokenTurn:
    task = msgspec.json.decode(turn.call).get("task", "") if turn.call else ""
    answer, result = split_answer(turn.raw), None
    if task:
        try:
            result = msgspec.json.decode(result_text(turn.raw))
        except msgspec.DecodeError:
            result = None
    return SpokenTurn(turn, answer, task, result, details_of(turn))
