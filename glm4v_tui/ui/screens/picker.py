"""Choosing images from the folders of this host."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from msgspec.structs import replace
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer

from glm4v_tui.browsing import Place, Sort, View, changed_place, first_place, open_place
from glm4v_tui.errors import GlmError
from glm4v_tui.listing import Kind, Row, fuzzy_filter, index_of
from glm4v_tui.paste import parse_paste
from glm4v_tui.ui.marks import Marks
from glm4v_tui.ui.picker_words import DETAILS, where_words, why_empty
from glm4v_tui.ui.widgets.file_list import FileList
from glm4v_tui.ui.widgets.file_preview import FilePreview
from glm4v_tui.ui.widgets.filter_input import FilterInput
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.worker import Worker

_LARGE = 3_000
"""Rows from which on a search waits for the letters to pause."""
_FILTER_PAUSE = 0.05
_SHOWING = ("place", "search")
"""The groups of workers that end in other rows."""
_LONG = 0.3
"""Seconds after which a folder that is not read yet is said to be read."""

T = TypeVar("T")

_key = partial(Binding, priority=True)
"""A key that works the moment it arrives, before those after it are handed to anybody: keys come
in a burst over a link that was stuck, and each is to act on what the one before has done."""


@dataclass(frozen=True, slots=True)
class PickResult:
    """What was chosen."""

    paths: tuple[Path, ...]
    """In the order in which they were marked."""
    folder: Path
    """Where to begin the next time."""
    is_review: bool = False
    """They are to be reviewed one by one, and not to be attached."""


class PickerScreen(ModalScreen[PickResult | None]):
    """Ends in the images chosen, or None.

    Args:
        start: The folder to begin in, or a file to begin at.
        marked: Images that are marked from the beginning.
    """

    CSS_PATH = "../styles/picker.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("enter", "take", "Take", id="picker.take",
             tooltip="Take the marked images or this one; enter a folder"),
        _key("space", "mark", "Mark", id="picker.mark", tooltip="Mark or unmark, and move on"),
        _key("slash", "filter", "Filter", id="picker.filter",
             tooltip="Show the names that have these letters"),
        _key("tab", "tree", "Tree", id="picker.tree",
             tooltip="Unfold folders in place, or one folder at a time"),
        _key("escape", "close", "Close", id="picker.close",
             tooltip="End the filter or range, then the picker"),
        _key("r", "deep", "All levels", id="picker.all_levels",
             tooltip="Also the images of all folders below, in one list"),
        _key("v", "span", "Range", id="picker.range",
             tooltip="Begin a range here; again marks it"),
        _key("a", "mark_all", "All", id="picker.all", tooltip="Mark every file in the list"),
        _key("A", "mark_none", "None", id="picker.none", tooltip="Remove all marks"),
        _key("s", "sort", "Sort", id="picker.sort", tooltip="By name, newest, largest"),
        _key("f", "others", "All files", id="picker.all_files",
             tooltip="Also files that are no images"),
        _key("full_stop", "hidden", "Hidden", id="picker.hidden",
             tooltip="Names that begin with a dot"),
        _key("i", "invert", "Invert", id="picker.invert", show=False,
             tooltip="Mark what is not marked, and the other way round"),
        _key("t", "take_marked", "Take marked", id="picker.take_marked", show=False),
        _key("T", "review", "Triage", id="picker.triage", show=False,
             tooltip="Review what is marked, else this folder or all images that are listed"),
        _key("left,h,backspace", "leave", "Parent", id="picker.parent", show=False),
        _key("right,l", "enter", "Enter", id="picker.enter", show=False),
        _key("tilde", "home", "Home", id="picker.home", show=False),
        _key("ctrl+r", "reload", "Read again", id="picker.reload", show=False),
    ]  # fmt: skip

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-wide")]

    def __init__(self, start: Path, *, marked: Sequence[Path] = ()) -> None:
        super().__init__()
        self._start = Path(os.path.abspath(start))  # noqa: PTH100 - without "..", links kept
        self._marks = Marks(os.path.abspath(path) for path in marked)  # noqa: PTH100
        self._place = Place(self._start)
        self._view = View()
        """What is asked for; ``_place.view`` is what is there."""

    def compose(self) -> ComposeResult:
        yield Words(id="where")
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield FilterInput()
                yield FileList()
                yield Words(id="brief")
            yield FilePreview()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._list.focus()
        self._list.show_marks(self._marks.keys)
        self._show_where()
        self._replace_work("place", self._begin)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While letters are typed for the filter, the keys of the list are letters."""
        if action in _LIST_ACTIONS and self.focused is self._filter:
            return False
        return super().check_action(action, parameters)

    @property
    def _list(self) -> FileList:
        return self.query_one(FileList)

    @property
    def _filter(self) -> FilterInput:
        return self.query_one(FilterInput)

    # Folders ------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        try:
            place, error = await self._in_thread(partial(first_place, self._start, self._view))
        except GlmError as fatal:
            self._tell(fatal)
            return
        if error is not None:
            self._tell(error)
        await self._settle(place, None if place.folder == self._start else str(self._start))

    async def _bring(self, make: Callable[[], Place], keep: str | None = None) -> None:
        """Show what a function, run in a thread, finds; returns when it is shown, or soon.

        Args:
            make: Reads; may raise GlmError.
            keep: The full path of the entry that the cursor goes to.
        """
        self._replace_work("place", partial(self._follow, make, keep))
        await self._catch_up()

    def _replace_work(self, group: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Begin this in place of what its group was at."""
        _: Worker[None] = self.run_worker(work, group=group, exclusive=True)

    async def _catch_up(self, seconds: float = 0.25) -> bool:
        """Wait, not for long, until what was asked for is shown.

        Actions end with this, so that keys typed ahead act on the rows they were meant for.
        Returns whether everything is shown now.
        """
        begun = [work for work in self.workers if work.node is self and work.group in _SHOWING]
        deadline = time.monotonic() + seconds
        while not all(work.is_finished for work in begun):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.004)
        return True

    async def _follow(self, make: Callable[[], Place], keep: str | None) -> None:
        try:
            place = await self._in_thread(make)
        except GlmError as error:
            self._view = self._place.view
            self._show_where()
            self._tell(error)
            return
        await self._settle(place, keep)

    async def _in_thread(self, make: Callable[[], T]) -> T:
        """Read, and say so where it takes long."""
        words = self.query_one("#where", Words)
        hint = self.set_timer(_LONG, lambda: words.show("Reading the folder…"))
        try:
            return await asyncio.to_thread(make)
        finally:
            hint.stop()

    async def _settle(self, place: Place, keep: str | None) -> None:
        if place.folder != self._place.folder:
            self._end_filter()
        self._place, self._view = place, place.view
        await self._search(keep or place.first_image)

    async def _go(self, folder: Path, keep: str | None = None) -> None:
        view = replace(self._view, is_deep=False)
        await self._bring(partial(open_place, folder, view), keep)

    async def _change(self, view: View) -> None:
        """Show the same folder otherwise, with the cursor on the same entry."""
        self._view = view
        await self._bring(partial(changed_place, self._place, view), self._key)

    @property
    def _key(self) -> str | None:
        return self._list.row.key if self._list.row else None

    async def action_enter(self) -> None:
        row = self._list.row
        if row is None or row.kind is not Kind.FOLDER:
            return
        if self._view.open_folders is None:
            await self._go(row.path)
        elif row.key not in self._view.open_folders:
            await self._change(
                replace(self._view, open_folders=self._view.open_folders | {row.key})
            )

    async def action_leave(self) -> None:
        """Fold the folder that the cursor is in; at the root, or in a list, go up."""
        row, opened = self._list.row, self._view.open_folders
        if row is not None and opened is not None and (row.is_open or row.depth):
            folder = row.key if row.is_open else row.folder
            self._view = replace(self._view, open_folders=opened - {folder})
            await self._bring(partial(changed_place, self._place, self._view), folder)
        elif (parent := self._place.folder.parent) != self._place.folder:
            await self._go(parent, str(self._place.folder))

    async def action_home(self) -> None:
        await self._go(Path.home())

    async def action_reload(self) -> None:
        async def again() -> None:
            keep = self._key
            make = partial(first_place, self._place.folder, self._view)
            place, error = await self._in_thread(make)
            if error is not None:
                self._tell(error)
            await self._settle(place, keep)

        self._replace_work("place", again)
        await self._catch_up()

    def on_paste(self, event: events.Paste) -> None:
        """Go to a dropped folder; mark dropped files and go to them."""
        event.stop()
        self._replace_work("paste", partial(self._take_paste, event.text))

    async def _take_paste(self, text: str) -> None:
        pasted = await asyncio.to_thread(parse_paste, text, self._place.folder, Path.home())
        if pasted.error is not None:
            self._tell(pasted.error)
        if not pasted.paths:
            return
        first = pasted.paths[0]
        if await asyncio.to_thread(first.is_dir):
            await self._go(first)
        else:
            self._marks.add_paths(pasted.paths)
            self._show_marks()
            await self._go(first.parent, str(first))

    # The view -----------------------------------------------------------------------------------

    async def action_tree(self) -> None:
        is_tree = self._view.open_folders is not None
        opened = None if is_tree else frozenset[str]()
        await self._change(replace(self._view, open_folders=opened, is_deep=False))

    async def action_deep(self) -> None:
        is_deep = not self._view.is_deep
        await self._change(replace(self._view, open_folders=None, is_deep=is_deep))

    async def action_hidden(self) -> None:
        await self._change(replace(self._view, hidden=not self._view.hidden))

    async def action_others(self) -> None:
        await self._change(replace(self._view, others=not self._view.others))

    async def action_sort(self) -> None:
        sorts = list(Sort)
        following = sorts[(sorts.index(self._view.sort) + 1) % len(sorts)]
        await self._change(replace(self._view, sort=following))

    # The filter ---------------------------------------------------------------------------------

    def action_filter(self) -> None:
        self._filter.begin()

    def action_to_list(self) -> None:
        self.set_focus(self._list)

    def action_move(self, rows: int) -> None:
        self._list.action_move(rows)

    def on_input_changed(self) -> None:
        self._replace_work("search", partial(self._search, self._key, pause=True))

    async def on_input_submitted(self) -> None:
        """Take what these letters find, not what the ones before have found."""
        if await self._catch_up(3):
            await self.action_take()

    def _end_filter(self) -> None:
        if self.focused is self._filter:
            self.set_focus(self._list)
        self._filter.end()

    async def action_end_filter(self) -> None:
        """Show everything again, with the cursor where the filter has led it."""
        key = self._key
        self._end_filter()
        self._replace_work("search", partial(self._search, key))
        await self._catch_up()

    async def _search(self, keep: str | None, *, pause: bool = False) -> None:
        """Show the rows that the filter lets through; all when it is empty."""
        place, query = self._place, self._filter.letters
        if pause and len(place.rows) > _LARGE:
            await asyncio.sleep(_FILTER_PAUSE)
        if query:
            rows, cursor = (
                await asyncio.to_thread(
                    fuzzy_filter, place.rows, query, lambda: query != self._filter.letters
                ),
                0,
            )
        else:
            rows, cursor = place.rows, await asyncio.to_thread(index_of, place.rows, keep)
        if place is self._place and query == self._filter.letters:
            self._list.show_rows(
                rows,
                cursor,
                query=query,
                note=why_empty(place, query),
                details=DETAILS[place.view.sort],
            )
            self._show_where()

    # Marks --------------------------------------------------------------------------------------

    def action_mark(self) -> None:
        """Mark or unmark this row, or the range that was begun."""
        if self._list.span is not None:
            self.action_span()
            return
        self._flip(self._list.row)
        self._list.action_move(1)

    def action_span(self) -> None:
        if (span := self._list.span) is None:
            self._list.begin_span()
            return
        self._marks.add(self._list.rows[index] for index in span)
        self._list.end_span()
        self._show_marks()

    def action_mark_all(self) -> None:
        self._marks.add(self._list.rows)
        self._show_marks()

    def action_mark_none(self) -> None:
        self._marks.clear()
        self._show_marks()

    def action_invert(self) -> None:
        self._marks.flip(self._list.rows)
        self._show_marks()

    def on_file_list_mark_clicked(self, message: FileList.MarkClicked) -> None:
        self._flip(self._list.rows[message.index])

    def _flip(self, row: Row | None) -> None:
        if row is not None:
            self._marks.flip([row])
            self._show_marks()

    def _show_marks(self) -> None:
        self._list.show_marks(self._marks.keys)
        self._show_where()

    # The end ------------------------------------------------------------------------------------

    async def action_take(self) -> None:
        """Enter the folder, or end with the marked files, or with this one."""
        row = self._list.row
        if row is not None and row.kind is Kind.FOLDER:
            await self._toggle_folder(row)
        elif row is None and self._filter.letters:
            self.notify("No name has these letters: end the filter first (Esc).", markup=False)
        elif self._marks:
            self.action_take_marked()
        elif row is not None:
            self._finish([row.path])

    async def _toggle_folder(self, row: Row) -> None:
        if row.is_open:
            await self.action_leave()
        else:
            await self.action_enter()

    def action_take_marked(self) -> None:
        if self._marks:
            self._finish(self._marks.paths)

    async def on_file_list_chosen(self, message: FileList.Chosen) -> None:
        if message.row.kind is Kind.FOLDER:
            await self._toggle_folder(message.row)
        else:
            self._finish([message.row.path])

    def action_review(self) -> None:
        row = self._list.row
        if self._marks:
            paths = list(self._marks.paths)
        elif row is not None and row.kind is not Kind.IMAGE:
            paths = [row.path]
        else:
            paths = [one.path for one in self._list.rows if one.kind is Kind.IMAGE]
        if paths:
            self.dismiss(PickResult(tuple(paths), self._place.folder, is_review=True))

    def _finish(self, paths: Sequence[Path]) -> None:
        self.dismiss(PickResult(tuple(paths), self._place.folder))

    async def action_close(self) -> None:
        """End what was begun last: the filter, the range, the picker."""
        if self._filter.is_on:
            await self.action_end_filter()
        elif self._list.span is not None:
            self._list.end_span()
        else:
            self.dismiss(None)

    # Words --------------------------------------------------------------------------------------

    def on_file_list_moved(self, message: FileList.Moved) -> None:
        self.query_one(FilePreview).show(message.row)

    def on_file_preview_described(self, message: FilePreview.Described) -> None:
        self.query_one("#brief", Words).show(message.words)

    def on_resize(self) -> None:
        self._show_where()

    def _show_where(self) -> None:
        shown = len(self._list.rows) if self._filter.letters else None
        words = where_words(self._place, len(self._marks), shown, self.size.width)
        self.query_one("#where", Words).show(words)

    def _tell(self, error: GlmError) -> None:
        words = "\n".join(part for part in (error.body, error.remedy) if part)
        self.notify(words, title=error.title, severity="warning", timeout=10, markup=False)


_LIST_ACTIONS = frozenset(
    binding.action for binding in PickerScreen.BINDINGS if isinstance(binding, Binding)
)
