"""``glm4v-tui chats export``: conversations as Markdown, HTML or JSON Lines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from glm4v_tui.archive.export.talk import talk_of
from glm4v_tui.commands.chats import chat_with, kept_chats
from glm4v_tui.commands.export_file import STANDARD_OUTPUT, check_free, place_of, to_file
from glm4v_tui.commands.start import plugins_of, settings_with
from glm4v_tui.errors import UsageError
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from glm4v_tui.archive.export.talk import Talk

_SUFFIXES = {".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html",
             ".jsonl": "jsonl"}  # fmt: skip


def export(
    numbers: Sequence[int], form: str | None, output: str | None, *, force: bool = False
) -> int:
    """Write the chats with these numbers; all of them without any.

    Args:
        form: markdown, html or jsonl; None: as the file's suffix has it.
        output: The file; None or ``-`` for standard output, where images are only named.
        force: Overwrite the file.
    """
    file = None if output in (None, STANDARD_OUTPUT) else place_of(output or "")
    form = form or _form_of(file)
    check_free(output, force=force)
    if form != "jsonl":
        plugins_of(settings_with())  # files that only a plugin's reader opens
    with kept_chats() as chats:
        wanted = [chat_with(chats, number) for number in numbers] or chats.all()
        talks = [talk_of(chat, chats.turns_of(chat)) for chat in wanted]
    try:
        text = _written(talks, form, file)
        if file is not None:
            to_file(str(file), lambda out: out.write(text.encode()))
            return 0
    except OSError as error:
        raise UsageError(
            "The export cannot be written",
            f"{plain_line(str(file))}: {error.strerror or error}",
            "Name another file.",
        ) from error
    sys.stdout.write(text)
    return 0


def _form_of(file: Path | None) -> str:
    form = _SUFFIXES.get(file.suffix.lower()) if file else "markdown"
    if form is None:
        raise UsageError(
            "The format of the export is not known",
            plain_line(str(file)),
            "Write --format markdown, html or jsonl, or end the name in .md, .html or .jsonl.",
        )
    return form


def _written(talks: Sequence[Talk], form: str, file: Path | None) -> str:
    if form == "jsonl":
        from glm4v_tui.archive.export.jsonl import jsonl

        return jsonl(talks)
    if form == "html":
        from glm4v_tui.archive.export.html import html

        return html(talks)
    from glm4v_tui.archive.export.markdown import MarkdownFile

    beside = file.absolute().with_name(f"{file.stem}-images") if file else None
    return MarkdownFile(beside).text(talks)
