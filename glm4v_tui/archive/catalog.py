"""The list of chats as a user looks through it: all of them, or those with some words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from glm4v_tui.archive.turns import NOT_KEPT
from glm4v_tui.plain import plain_line
from glm4v_tui.store.chat_owner import is_alive
from glm4v_tui.store.words import excerpt

if TYPE_CHECKING:
    from glm4v_tui.store.chat_values import Hit, KeptChat, KeptTurn
    from glm4v_tui.store.chats import Chats


@dataclass(frozen=True)
class Entry:
    """A line of the list."""

    chat: KeptChat
    turn: str | None = None
    """The turn in which the words were found."""
    found: str = ""
    """The words with those around them."""


@dataclass(frozen=True)
class Opened:
    """A chat to go on with."""

    chat: KeptChat
    turns: list[KeptTurn]
    is_copy: bool = False
    """Another process has it open, so that this is a branch of it."""


def entries(chats: Chats, wanted: str = "", limit: int = 300) -> list[Entry]:
    """Chats with all of these words in the title, then turns with them, newest first each."""
    words = wanted.casefold().split()
    named = [chat for chat in chats.all() if all(w in chat.title.casefold() for w in words)]
    listed = {chat.id for chat in named[:limit]}
    hits = chats.search(wanted, limit) if words else []
    found = (_entry(hit, wanted, is_listed=hit.chat.id in listed) for hit in hits)
    return [*map(Entry, named[:limit]), *(entry for entry in found if entry is not None)]


def open_chat(chats: Chats, number: int, turn: str | None, owner: str) -> Opened:
    """The turns of a chat, for this process to go on with.

    Args:
        turn: The conversation is to have it.
        owner: This process.

    Raises:
        LookupError: there is no such chat.
    """
    chat = chats.get(number)
    if chat is None:
        raise LookupError(number)
    turns = chats.conversation_with(chat, turn) if turn else chats.turns_of(chat)
    if turns and chat.owner not in (None, owner) and is_alive(chat.owner or ""):
        copy = chats.branch(turns[-1].id)
        return Opened(copy, chats.turns_of(copy), is_copy=True)
    return Opened(chat, turns)


def last_chat(chats: Chats) -> KeptChat | None:
    """The chat that was changed last, of those that no living process has open."""
    free = (
        chat
        for chat in chats.all()
        if chat.head is not None and (chat.owner is None or not is_alive(chat.owner))
    )
    return next(free, None)


def when(at: float, now: datetime | None = None) -> str:
    """A moment as people say it: the time of today, yesterday's, else the day.

    Args:
        at: Seconds since 1970.
    """
    then, now = datetime.fromtimestamp(at), now or datetime.now()
    days = (now.date() - then.date()).days
    if days in (0, 1):
        return f"{'yesterday ' if days else ''}{then:%H:%M}"
    return f"{then:%Y-%m-%d}"


def image_name(path: str) -> str:
    """The name of an image's file, safe to show."""
    return plain_line((path or NOT_KEPT).rpartition("/")[2])


def _entry(hit: Hit, wanted: str, *, is_listed: bool) -> Entry | None:
    """The place of the words; None where it is the title of a chat that is listed for that."""
    words = wanted.casefold().split()
    texts = [hit.question, hit.answer, hit.names]
    if is_listed and _is_title(hit.question, hit.chat.title):
        del texts[0]
        if not any(word in text.casefold() for text in texts for word in words):
            return None
    best = max(texts, key=lambda text: sum(word in text.casefold() for word in words))
    return Entry(hit.chat, hit.turn, excerpt(best, wanted))


def _is_title(question: str, title: str) -> bool:
    """Whether a chat has this title from this question (``archive.turns.title_of``)."""
    asked = " ".join(plain_line(question).split())
    title = plain_line(title).removesuffix("…").rstrip()
    return asked.startswith((title, title.partition(": ")[2] or title))
