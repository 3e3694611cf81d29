"""Pure values of a conversation: roles, attachments, messages."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Box(msgspec.Struct, frozen=True, array_like=True):
    """A rectangle of the upright image, in its pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


class Attachment(msgspec.Struct, frozen=True):
    """An image that goes with a message: where it lies and what it was when it was attached."""

    path: str
    """Absolute path on this host."""
    digest: str
    """SHA-256 of the file's bytes, hexadecimal."""
    width: int
    """Pixels of the upright image (of the crop, when there is one)."""
    height: int
    crop: Box | None = None
    """The part of the upright image that is asked about; None for all of it."""
    notes: tuple[str, ...] = ()
    """What was done to it on the way to the model, in words ("turned upright", ...)."""
    variant: str = ""
    """What a task does to the pixels, as ``Preparation.key`` says it; empty for nothing."""
    frame: int | None = None
    """Of a file with several, counted from 0; None for the one that stands for the whole."""
    whole: tuple[int, int] | None = None
    """(width, height) of the whole upright image where only a part of it is attached."""

    @property
    def whole_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the image that ``crop`` is measured in."""
        return self.whole or (self.width, self.height)

    @property
    def key(self) -> str:
        """Identity of the pixels: file content, frame, crop, what a task does to them."""
        crop = ",".join(map(str, msgspec.structs.astuple(self.crop))) if self.crop else ""
        frame = "" if self.frame is None else f"#{self.frame}"
        return ":".join([self.digest, *filter(None, (frame, crop, self.variant))])


class Message(msgspec.Struct, frozen=True):
    """One turn's half: who said what, with which images. Images stand before the text."""

    role: Role
    text: str
    attachments: tuple[Attachment, ...] = ()


Conversation = tuple[Message, ...]
"""Messages, oldest first. Replaced whole, never changed in place."""


_OPEN, _CLOSE = "<think>", "</think>"
_FRAME = ("<answer>", "</answer>", "<|begin_of_box|>", "<|end_of_box|>")


class Answer(msgspec.Struct, frozen=True):
    """A model's raw text, told apart."""

    thinking: str
    """What stood between ``<think>`` and ``</think>`` (to the end, when it is still open)."""
    text: str
    """What the user asked for."""
    is_thinking: bool
    """True while the thinking is not closed."""


def split_answer(raw: str, *, is_complete: bool = True) -> Answer:
    """Tell a reasoning model's thinking from its answer.

    GLM-4.1V-Thinking and its successors write ``<think>...</think><answer>...</answer>`` and mark
    final results with box tokens; other models write none of it, and their text comes back as is.

    Args:
        raw: What the model has written so far.
        is_complete: False while more is to come: the beginning of a mark at the end is then held
            back, so that what was shown once never has to be taken back.
    """
    if not is_complete:
        raw = raw.removesuffix(_begun_mark(raw))
    head, opened, rest = raw.partition(_OPEN)
    if not opened or head.strip():
        return Answer("", _unframe(raw), False)
    thinking, closed, answer = rest.partition(_CLOSE)
    return Answer(thinking.strip(), _unframe(answer), not closed)


def _begun_mark(raw: str) -> str:
    """The longest end of the text that may yet become a mark."""
    tail = raw[raw.rfind("<") :] if "<" in raw else ""
    marks = (_OPEN, _CLOSE, *_FRAME)
    return tail if any(mark.startswith(tail) and mark != tail for mark in marks) else ""


def _unframe(text: str) -> str:
    for mark in _FRAME:
        text = text.replace(mark, "")
    return text.strip("\n")
