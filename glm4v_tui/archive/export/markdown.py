"""Markdown with the image files beside it.

An answer keeps its lists, tables, emphasis and code. What would make it more than text (HTML,
links, images, headings that would be ours) is escaped.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from glm4v_tui.archive.export.talk import encoded, image_words, picture_of
from glm4v_tui.plain import plain_line, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from glm4v_tui.archive.export.talk import SpokenTurn, Talk
    from glm4v_tui.chat import Attachment

_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&$^=:])")
_LIVELY = re.compile(r"[<&]|!(?=\[)|\](?=[\[(:])")
"""What begins HTML, an entity, an image, or the second half of a link."""
_ENTITIES = {"<": "&lt;", "&": "&amp;", "!": "&#33;", "]": "&#93;"}
"""In place of backslashes, which one that stands before would undo."""
_BLOCK = re.compile(r"^([ >]*)(#{1,6}(?=\s|$)|=+\s*$|-+\s*$)", re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(`{3,}(?=[^`]*$)|~{3,})")


class MarkdownFile:
    """Args:
    folder: Where images are written, made when there is one; None: they are only named.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def text(self, talks: Iterable[Talk]) -> str:
        """The text of the file; its images are written.

        Raises:
            OSError: an image cannot be written.
        """
        return "\n".join(map(self._talk, talks))

    def _talk(self, talk: Talk) -> str:
        return f"# {escaped(plain_line(talk.chat.title))}\n\n" + "\n".join(
            map(self._turn, talk.turns)
        )

    def _turn(self, turn: SpokenTurn) -> str:
        task = f"`{turn.task}` · " if re.fullmatch(r"[\w-]+", turn.task) else ""
        question = escaped(plain_text(turn.kept.question)).replace("\n", "  \n")
        when = f"{turn.asked_at:%Y-%m-%d %H:%M}"
        model = f" · {escaped(plain_line(turn.details.model))}" if turn.details.model else ""
        parts = [f"## {task}{when}{model}", quoted(question)]
        parts += [self._image(image) for image in turn.kept.attachments]
        if turn.answer.thinking:
            parts.append(fenced(plain_text(turn.answer.thinking), "thinking"))
        if turn.result is not None:
            shown = json.dumps(turn.result, ensure_ascii=False, indent=2)
            parts.append(fenced(plain_text(shown), "json"))
        else:
            parts.append(tamed(plain_text(turn.answer.text)))
        if turn.failure:
            parts.append(f"*{escaped(turn.failure)}*")
        return "\n\n".join(filter(None, parts)) + "\n"

    def _image(self, image: Attachment) -> str:
        words = escaped(image_words(image))
        picture = picture_of(image) if self._folder is not None else None
        if picture is None or self._folder is None:
            return f"Image: {words}"
        name = f"{re.sub('[^0-9A-Za-z]+', '-', image.key)[:48]}.png"
        self._folder.mkdir(exist_ok=True)
        (self._folder / name).write_bytes(encoded(picture, "PNG"))
        return f"![{words}](<{_link(self._folder.name)}/{name}>)"


def escaped(text: str) -> str:
    """Text that means nothing but itself."""
    return _MARKS.sub(r"\\\1", text)


def quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.split("\n"))


def fenced(code: str, language: str = "") -> str:
    """A block of code that nothing in it can end."""
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


def tamed(markdown: str) -> str:
    """Markdown of somebody else, without what is more than text."""
    parts: list[str] = []
    prose: list[str] = []
    code: list[str] | None = None
    fence = ""
    for line in markdown.split("\n"):
        match = _FENCE.match(line)
        if code is None and match:
            parts.append(_tame_prose("\n".join(prose)))
            prose, code, fence = [], [], match[1]
        elif (
            code is not None
            and line.strip()
            and not line.strip().strip(fence[0])
            and (len(line.strip()) >= len(fence))
        ):
            parts.append(fenced("\n".join(code)))
            code = None
        else:
            (prose if code is None else code).append(line)
    if code is not None:
        parts.append(fenced("\n".join(code)))
    parts.append(_tame_prose("\n".join(prose)))
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())


def _tame_prose(text: str) -> str:
    lines = text.split("\n")
    has_spans = "\\" not in text and all(_pairs_up(line) for line in lines)
    inert = "\n".join(_tame_line(line, has_spans=has_spans) for line in lines)
    return _BLOCK.sub(r"\1\\\2", inert)


def _pairs_up(line: str) -> bool:
    return "``" not in line and not line.count("`") % 2


def _tame_line(line: str, *, has_spans: bool) -> str:
    """One line; its code in backticks stays as it is where it certainly is code."""
    parts = line.split("`") if has_spans and "|" not in line else [line]
    tamed_ = [
        part if number % 2 else _LIVELY.sub(lambda match: _ENTITIES[match[0]], part)
        for number, part in enumerate(parts)
    ]
    return "`".join(tamed_)


def _link(name: str) -> str:
    """A folder's name in a link's angle brackets."""
    from urllib.parse import quote

    return quote(name, errors="surrogateescape")
