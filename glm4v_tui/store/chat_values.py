"""What is kept of conversations, as values."""

from __future__ import annotations

import msgspec

from glm4v_tui.chat import Attachment

OVER = frozenset({"done", "stopped", "failed", "interrupted"})
"""States after which a turn does not change."""
INTERRUPTED = "interrupted"
"""The program ended while the turn was asked or answered."""


class KeptTurn(msgspec.Struct, frozen=True):
    """A question and its answer, as far as it has come."""

    id: str
    question: str
    attachments: tuple[Attachment, ...] = ()
    """Those without a path were asked about by a private task."""
    parent: str | None = None
    """The turn before it."""
    asked_at: float = 0.0
    """Seconds since 1970."""
    call: str | None = None
    """What a task asks for, as JSON."""
    is_private: bool = False
    """Paths of its images are not stored, nor those of the same images elsewhere."""
    state: str = "queued"
    raw: str = ""
    details: str = "{}"
    """Usage, timing, error and model, as JSON."""


class KeptChat(msgspec.Struct, frozen=True):
    """A chat without its turns."""

    number: int
    """What users call it by."""
    id: str
    title: str
    made_at: float
    changed_at: float
    turns: int = 0
    """Of the whole tree."""
    head: str | None = None
    owner: str | None = None
    deleted_at: float | None = None


class Hit(msgspec.Struct, frozen=True):
    """A turn that has the words that were looked for."""

    chat: KeptChat
    turn: str
    question: str
    answer: str
    names: str
    """Of its images' files."""
