"""What one entry of a folder is: its picture, its facts, or why it cannot be opened."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message

from glm4v_tui.errors import GlmError
from glm4v_tui.images import inspect, is_image_name
from glm4v_tui.listing import Kind
from glm4v_tui.plain import plain_line
from glm4v_tui.ui.sizes import bytes_text, counted, date_text
from glm4v_tui.ui.widgets.picture import Picture
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from textual.app import ComposeResult
    from textual.worker import Worker

    from glm4v_tui.images import ImageFacts
    from glm4v_tui.listing import Row

_PAUSE = 0.03
"""Seconds that the cursor must rest before the disk is asked; held keys come faster."""
_MOST_ENTRIES = 10_000


class FilePreview(Vertical):
    """Shows one row at a time: its name at once, its facts and picture as they come."""

    DEFAULT_CSS = """
    FilePreview {
        padding: 0 1;
        Picture { height: 1fr; }
        /* Of one height whatever it says: else each name would move the picture, which is then
           sent to the terminal again. */
        VerticalScroll { height: 5; padding: 1 0 0 0; }
    }
    """

    @dataclass
    class Described(Message):
        """The facts without the name, in one line, for a window without room for the preview."""

        words: Content

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._row: Row | None = None

    def compose(self) -> ComposeResult:
        yield Picture()
        with VerticalScroll(can_focus=False):
            yield Words()

    def show(self, row: Row | None) -> None:
        """Show an entry, or nothing."""
        if row == self._row:
            return
        self._row = row
        self.workers.cancel_group(self, "facts")
        if row is None:
            self._tell(Content(""))
            self.query_one(Picture).show(None)
            return
        self._tell(Content(plain_line(row.name)).stylize("bold"))
        # At once, so that the picture knows of every key and keeps its pace by them.
        self.query_one(Picture).show(row.path if is_image_name(row.name) else None)
        describe: Callable[[], Coroutine[None, None, None]] = partial(self._describe, row)
        _: Worker[None] = self.run_worker(describe, group="facts", exclusive=True)

    async def _describe(self, row: Row) -> None:
        await asyncio.sleep(_PAUSE)
        picture = self.query_one_optional(Picture)
        if picture is None:  # the window is being taken away
            return
        if row.kind is Kind.FOLDER:
            picture.show(None)
            self._tell(_folder_words(row, await asyncio.to_thread(_count_entries, row.path)))
            return
        try:
            facts = await asyncio.to_thread(inspect, row.path)
        except GlmError as error:
            picture.show(None)
            self._tell(_error_words(row, error))
            return
        picture.show(row.path)
        self._tell(_facts_words(row, facts))

    def on_picture_failed(self, message: Picture.Failed) -> None:
        """What only decoding can find out: a file that is cut off."""
        message.stop()
        if self._row is not None and self._row.path == message.path:
            self.query_one(Picture).show(None)
            self._tell(_error_words(self._row, message.error))

    def _tell(self, words: Content) -> None:
        shown = self.query_one_optional(Words)
        if shown is None:
            return
        shown.show(words)
        self.post_message(self.Described(_one_line(words)))


def _one_line(words: Content) -> Content:
    """All but the first line, which is the name."""
    return Content("  ").join([line for line in words.split("\n")[1:] if line.plain.strip()])


def _facts_words(row: Row, facts: ImageFacts) -> Content:
    size = f"{facts.width} x {facts.height}  {facts.format}  {bytes_text(facts.bytes)}"
    notes = "".join(f"\n{note}" for note in facts.notes)
    when = f"\n{date_text(row.mtime)}" if row.mtime else ""
    return Content.assemble(
        (plain_line(row.name), "bold"), "\n", size + when, (notes, "$text-muted")
    )


def _folder_words(row: Row, contents: str) -> Content:
    link = _link_words(row) if row.is_link else ""
    return Content.assemble((plain_line(row.name), "bold $text-primary"), f"\n{contents}{link}")


def _link_words(row: Row) -> str:
    try:
        return f"\nlink to {plain_line(str(row.path.readlink()))}"
    except OSError:
        return ""


def _error_words(row: Row, error: GlmError) -> Content:
    name = plain_line(row.name)
    reason = error.body.replace(plain_line(row.key), name)  # the folder stands above the list
    return Content.assemble(
        (name, "bold"),
        (f"\n{error.title}", "bold $text-error"),
        f"\n{reason}",
        (f"\n{error.remedy}" if error.remedy else "", "$text-muted"),
    )


def _count_entries(folder: Path) -> str:
    """How much lies in a folder, in words."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, _MOST_ENTRIES + 1)]
    except OSError as error:
        return plain_line(error.strerror or "it cannot be read")
    if len(names) > _MOST_ENTRIES:
        return f"more than {_MOST_ENTRIES:,} entries"
    if not names:
        return "It is empty."
    images = sum(map(is_image_name, names))
    others = counted(len(names) - images, "other entry", "other entries")
    return f"{counted(images, 'image')}, {others}"
