"""JSON Lines: an object for each turn, whole and exact."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.plain import UNSAFE_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from glm4v_tui.archive.export.talk import SpokenTurn, Talk

_UNSAFE = re.compile(rf"[{UNSAFE_CHARACTERS}\ud800-\udfff]")


def jsonl(talks: Iterable[Talk]) -> str:
    """The text of the file. What a terminal would obey is written as ``\\uXXXX``."""
    lines = (_line(talk, turn) for talk in talks for turn in talk.turns)
    return "".join(f"{line}\n" for line in lines)


def _line(talk: Talk, turn: SpokenTurn) -> str:
    return safe_json(_record(talk, turn))


def safe_json(value: object) -> str:
    """JSON on one line; what a terminal would obey is written as ``\\uXXXX``."""
    text = json.dumps(value, ensure_ascii=False)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _record(talk: Talk, turn: SpokenTurn) -> dict[str, Any]:
    details = turn.details
    return {
        "chat": talk.chat.number,
        "title": talk.chat.title,
        "turn": turn.kept.id,
        "asked_at": turn.asked_at.isoformat(timespec="seconds"),
        "question": turn.kept.question,
        "images": [
            {**msgspec.to_builtins(image), "path": image.path or None}
            for image in turn.kept.attachments
        ],
        "answer": turn.answer.text,
        "thinking": turn.answer.thinking,
        "task": turn.task or None,
        "result": turn.result,
        "state": turn.kept.state,
        "failure": turn.failure or None,
        "finish_reason": details.reason,
        "model": details.model,
        "usage": details.usage.told,
        "timing": msgspec.to_builtins(details.timing),
    }
