"""``glm4v-tui chats``: the conversations that were kept, without the screen."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from glm4v_tui.archive.catalog import Entry, entries, image_name, when
from glm4v_tui.archive.export.jsonl import safe_json
from glm4v_tui.archive.export.talk import Talk, talk_of
from glm4v_tui.errors import UsageError
from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.store.chat_owner import is_alive
from glm4v_tui.store.chats import KEPT_DELETED_S, Chats
from glm4v_tui.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glm4v_tui.store.chat_values import KeptChat


@contextmanager
def kept_chats() -> Iterator[Chats]:
    database = Database(may_read_only=True)
    chats = Chats(database)
    try:
        if not database.is_read_only:
            chats.settle(is_alive)
        yield chats
    finally:
        database.close()


def list_chats(*, deleted: bool, as_json: bool) -> int:
    with kept_chats() as chats:
        found = [Entry(chat) for chat in chats.all(deleted=deleted)]
    _print_entries(found, as_json=as_json, none="No chat was kept yet.")
    return 0


def search(words: str, *, as_json: bool) -> int:
    with kept_chats() as chats:
        found = entries(chats, words)
    _print_entries(found, as_json=as_json, none="Nothing was found.")
    return 0


def show(number: int) -> int:
    with kept_chats() as chats:
        talk = _talk(chats, chat_with(chats, number))
    _say(talk.chat.title)
    for turn in talk.turns:
        task = f"/{turn.task}: " if turn.task else ""
        _say(f"\n[{turn.asked_at:%Y-%m-%d %H:%M}] {task}{turn.kept.question}")
        for image in turn.kept.attachments:
            _say(f"  image: {image_name(image.path)}, {image.width}×{image.height}")
        if turn.answer.text:
            _say(f"\n{turn.answer.text}")
        if turn.failure:
            _say(f"  ({turn.failure})")
    return 0


def rename(number: int, title: str) -> int:
    if not (title := plain_line(title).strip()):
        raise UsageError("A title has words", "An empty one was given.", "Write one.")
    with kept_chats() as chats:
        chats.rename(chat_with(chats, number).id, title)
    return 0


def delete(numbers: Sequence[int], *, now: bool) -> int:
    with kept_chats() as chats:
        for chat in [chat_with(chats, number) for number in numbers]:
            if now:
                chats.erase(chat.id)
            elif chat.deleted_at is None:
                chats.delete(chat.id)
    days = round(KEPT_DELETED_S / 86400)
    back = " ".join(map(str, numbers))
    if not now:
        _say(f"Deleted. `glm4v-tui chats restore {back}` brings back, for {days} days.")
    return 0


def restore(numbers: Sequence[int]) -> int:
    with kept_chats() as chats:
        for chat in [chat_with(chats, number) for number in numbers]:
            chats.restore(chat.id)
    return 0


def _print_entries(found: Sequence[Entry], *, as_json: bool, none: str) -> None:
    if as_json:
        sys.stdout.write(f"{safe_json({'chats': list(map(_record, found))})}\n")
        return
    width = max((len(str(entry.chat.number)) for entry in found), default=0)
    for entry in found:
        chat = entry.chat
        _say(f"{chat.number:>{width}}  {when(chat.changed_at):<15}  {plain_line(chat.title)}")
        if entry.found:
            _say(f"{'':{width}}  {'':15}  {plain_line(entry.found)}")
    if not found:
        _say(none)


def _record(entry: Entry) -> dict[str, object]:
    chat = entry.chat
    told = {name: getattr(chat, name) for name in ("number", "title", "turns")}
    times = {name: getattr(chat, name) for name in ("made_at", "changed_at", "deleted_at")}
    return {**told, **times, "turn": entry.turn, "found": entry.found or None}


def chat_with(chats: Chats, number: int) -> KeptChat:
    """The chat with this number.

    Raises:
        UsageError: there is none.
    """
    if (chat := chats.get(number)) is None:
        raise UsageError(
            f"There is no chat {number}", "", "`glm4v-tui chats` lists them, with their numbers."
        )
    return chat


def _talk(chats: Chats, chat: KeptChat) -> Talk:
    return talk_of(chat, chats.turns_of(chat))


def _say(text: str) -> None:
    sys.stdout.write(f"{plain_text(text)}\n")
