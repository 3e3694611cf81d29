"""One HTML file with thumbnails inside: no script, nothing that is fetched from anywhere."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import TYPE_CHECKING

from glm4v_tui.archive.export.talk import encoded, image_words, picture_of
from glm4v_tui.plain import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from glm4v_tui.archive.export.talk import SpokenTurn, Talk
    from glm4v_tui.chat import Attachment

_THUMBNAIL_PIXELS = 360 * 360

_HEAD = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto;
 padding: 0 1rem; }}
.question {{ font-weight: 600; border-left: 4px solid #6b8fd6; padding-left: .8rem;
 margin-top: 2rem; }}
.question, .answer {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
.note, figcaption {{ color: #7a7f87; font-size: .85rem; overflow-wrap: anywhere; }}
.failure {{ color: #c0392b; }}
figure {{ display: inline-block; margin: .8rem .8rem 0 0; vertical-align: top; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
</style></head><body>
"""


def html(talks: Iterable[Talk]) -> str:
    """The text of the file. Opens every image: for a thread, or a command."""
    talks = list(talks)
    title = _text(talks[0].chat.title) if len(talks) == 1 else "Chats"
    body = "".join(map(_talk, talks))
    return f"{_HEAD.format(title=title)}{body}</body></html>\n"


def _talk(talk: Talk) -> str:
    return f"<h1>{_text(talk.chat.title)}</h1>\n" + "".join(map(_turn, talk.turns))


def _turn(turn: SpokenTurn) -> str:
    task = f'<span class="note">{_text(turn.task)}</span> ' if turn.task else ""
    parts = [
        f'<div class="question">{task}{_text(turn.kept.question)}</div>',
        *map(_figure, turn.kept.attachments),
    ]
    if turn.answer.thinking:
        thinking = _text(turn.answer.thinking)
        parts.append(f'<details class="note"><summary>Thinking</summary>{thinking}</details>')
    parts.append(_answer(turn))
    if turn.failure:
        parts.append(f'<p class="failure">{_text(turn.failure)}</p>')
    facts = " · ".join(filter(None, (f"{turn.asked_at:%Y-%m-%d %H:%M}", turn.details.model)))
    parts.append(f'<p class="note">{_text(facts)}</p>')
    return "\n".join(parts) + "\n"


def _answer(turn: SpokenTurn) -> str:
    if turn.result is not None:
        shown = json.dumps(turn.result, ensure_ascii=False, indent=2)
        return f"<pre>{_text(shown)}</pre>"
    return f'<div class="answer">{_text(turn.answer.text)}</div>'


def _figure(image: Attachment) -> str:
    picture = picture_of(image, _THUMBNAIL_PIXELS)
    words = _text(image_words(image))
    if picture is None:
        return f'<p class="note">{words}: the file is gone or has changed.</p>'
    data = base64.b64encode(encoded(picture, "JPEG")).decode()
    size = f'width="{picture.width}" height="{picture.height}"'
    return (
        f'<figure><img {size} alt="{words}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{words}</figcaption></figure>"
    )


def _text(text: str) -> str:
    return escape(plain_text(text), quote=True)
