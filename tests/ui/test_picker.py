"""The picker in a bare app: real folders, real files, keys as a user presses them."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from textual import events
from textual.app import App
from textual.widgets import Footer

from glm4v_tui.ui.screens.picker import PickerScreen, PickResult
from glm4v_tui.ui.widgets.file_list import FileList, shorten
from glm4v_tui.ui.widgets.file_preview import FilePreview
from glm4v_tui.ui.widgets.filter_input import FilterInput
from glm4v_tui.ui.widgets.picture import Picture
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.pilot import Pilot

OPEN = object()
"""The screen has not ended yet."""


class Host(App[None]):
    def __init__(self, start: Path, marked: tuple[Path, ...] = ()) -> None:
        super().__init__()
        self.picker = PickerScreen(start, marked=marked)
        self.result: object = OPEN

    def on_mount(self) -> None:
        self.push_screen(self.picker, lambda result: setattr(self, "result", result))


class User:
    """Presses keys and looks at the screen."""

    def __init__(self, host: Host, pilot: Pilot[None]) -> None:
        self.host, self.pilot, self.picker = host, pilot, host.picker

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, holds: Callable[[], object], seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"never came: {self.where!r} {self.names}"
            await asyncio.sleep(0.01)
        await self.pilot.pause()

    async def sees(self, *names: str) -> None:
        """Wait for exactly these rows."""
        await self.until(lambda: self.names == list(names))

    @property
    def list(self) -> FileList:
        return self.picker.query_one(FileList)

    @property
    def names(self) -> list[str]:
        return [row.name for row in self.list.rows]

    @property
    def here(self) -> str:
        return self.list.row.name if self.list.row else ""

    @property
    def where(self) -> str:
        return str(self.picker.query_one("#where", Words).content)

    @property
    def facts(self) -> str:
        return str(self.picker.query_one(FilePreview).query_one(Words).content)

    @property
    def lines(self) -> list[str]:
        """The list as it is drawn."""
        return [self.list.render_line(y).text.rstrip() for y in range(self.list.size.height)]

    @property
    def result(self) -> PickResult | None:
        assert self.host.result is None or isinstance(self.host.result, PickResult)
        return self.host.result

    def taken(self) -> list[str]:
        assert self.result is not None
        return [path.name for path in self.result.paths]


@asynccontextmanager
async def picking(
    start: Path, *, size: tuple[int, int] = (110, 30), marked: tuple[Path, ...] = ()
) -> AsyncIterator[User]:
    host = Host(start, marked)
    async with host.run_test(size=size) as pilot:
        user = User(host, pilot)
        await user.until(lambda: host.picker.is_current and user.where.count(" image"))
        yield user


@pytest.fixture
def pics(tmp_path: Path) -> Path:
    folder = tmp_path / "pics"
    folder.mkdir()
    for name in ("img10.png", "img2.JPG", "img1.png", "cat.PNG"):
        Image.new("RGB", (64, 48), "red").save(folder / name)
    (folder / "sub").mkdir()
    Image.new("RGB", (30, 40), "blue").save(folder / "sub" / "inner.png")
    (folder / ".hidden.png").write_bytes((folder / "img1.png").read_bytes())
    (folder / "notes.txt").write_text("text")
    return folder


SHOWN = ["sub", "cat.PNG", "img1.png", "img2.JPG", "img10.png"]


async def test_it_shows_folders_and_images_and_begins_at_an_image(pics: Path) -> None:
    async with picking(pics) as user:
        await user.sees(*SHOWN)
        assert user.here == "cat.PNG"
        assert "4 images, 1 folder" in user.where
        assert user.lines[0] == "   ▸ sub"
        assert user.lines[1] == ">    cat.PNG"


async def test_enter_takes_the_one_under_the_cursor(pics: Path) -> None:
    async with picking(pics) as user:
        await user.press("j", "down", "enter")
        assert user.result == PickResult((pics / "img2.JPG",), pics)


async def test_a_file_to_begin_at(pics: Path) -> None:
    async with picking(pics / "img2.JPG") as user:
        assert user.here == "img2.JPG"


async def test_marks_are_taken_in_their_order(pics: Path) -> None:
    async with picking(pics) as user:
        await user.press("G", "space", "g", "down", "space", "space")
        assert user.here == "img2.JPG"
        assert "3 marked" in user.where
        assert user.lines[4] == " ●   img10.png"
        await user.press("enter")
        assert user.taken() == ["img10.png", "cat.PNG", "img1.png"]


async def test_space_again_removes_a_mark(pics: Path) -> None:
    async with picking(pics, marked=(pics / "cat.PNG",)) as user:
        assert "1 marked" in user.where
        await user.press("space", "t", "enter")
        assert user.taken() == ["img1.png"]


async def test_all_none_invert(pics: Path) -> None:
    async with picking(pics) as user:
        await user.press("a")
        assert "4 marked" in user.where
        await user.press("A")
        assert "marked" not in user.where
        await user.press("space", "i", "t")
        assert user.taken() == ["img1.png", "img2.JPG", "img10.png"]


@pytest.mark.parametrize("end", ["v", "space"])
async def test_a_range(pics: Path, end: str) -> None:
    async with picking(pics) as user:
        await user.press("j", "v", "j")
        assert user.lines[2:4] == [" ○   img1.png", ">○   img2.JPG"]
        await user.press("escape", "v", "k", end)
        assert "2 marked" in user.where
        await user.press("t")
        assert user.taken() == ["img1.png", "img2.JPG"]


async def test_marks_survive_another_folder(pics: Path) -> None:
    async with picking(pics) as user:
        await user.press("space", "g", "enter")
        await user.sees("inner.png")
        assert "1 marked" in user.where
        await user.press("space", "t")
        assert user.taken() == ["cat.PNG", "inner.png"]
        assert user.result is not None
        assert user.result.folder == pics / "sub"


@pytest.mark.parametrize("keys", [("enter", "backspace"), ("right", "left"), ("l", "h")])
async def test_in_and_out_of_a_folder(pics: Path, keys: tuple[str, str]) -> None:
    """The cursor lands on the folder that was left."""
    async with picking(pics) as user:
        await user.press("g", keys[0])
        await user.sees("inner.png")
        await user.press(keys[1])
        await user.sees(*SHOWN)
        assert user.here == "sub"
        await user.press(keys[1])
        await user.sees("pics")
        assert user.here == "pics"


async def test_home(pics: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(pics / "sub"))
    async with picking(pics) as user:
        await user.press("tilde")
        await user.sees("inner.png")


async def test_the_filter_narrows_and_escape_ends_it_first(pics: Path) -> None:
    async with picking(pics) as user:
        await user.press("slash", "1", "p")
        await user.sees("img1.png", "img10.png")
        assert "2 of 5" in user.where
        await user.press("down")
        assert user.here == "img10.png"
        await user.press("escape")
        await user.sees(*SHOWN)
        assert user.here == "img10.png"
        assert not user.picker.query_one(FilterInput).display
        assert user.host.result is OPEN
        await user.press("escape")
        assert user.result is None


async def test_keys_typed_ahead_act_on_what_they_were_meant_for(pics: Path) -> None:
    """As they arrive over a link that was stuck: all at once."""
    async with picking(pics) as user:
        for key in ("tab", "g", "l", "j"):
            user.host.post_message(events.Key(key, key if len(key) == 1 else None))
        await user.until(lambda: user.here == "inner.png")
        for key in ("g", "h", "tab", "slash", *"g2", "enter"):
            character = "/" if key == "slash" else key if len(key) == 1 else None
            user.host.post_message(events.Key(key, character))
        await user.until(lambda: user.host.result is not OPEN)
        assert user.taken() == ["img2.JPG"]


async def test_the_filter_and_enter(pics: Path) -> None:
    async with picking(pics) as user:
        await user.press("slash", "I", "2")
        await user.sees("img2.JPG")
        await user.press("enter")
        assert user.taken() == ["img2.JPG"]


async def test_the_filter_is_kept_while_marking(pics: Path) -> None:
    async with picking(pics) as user:
        await user.press("slash", "i", "m", "g")
        await user.sees("img1.png", "img2.JPG", "img10.png")
        await user.press("tab", "a", "escape")
        await user.sees(*SHOWN)
        assert "3 marked" in user.where


async def test_the_filter_highlights_the_letters(pics: Path) -> None:
    async with picking(pics) as user:
        await user.press("slash", "g", "2")
        await user.sees("img2.JPG")
        bold = "".join(
            segment.text
            for segment in user.list.render_line(0)
            if segment.style is not None and segment.style.underline
        )
        assert bold == "g2"


async def test_nothing_found(pics: Path) -> None:
    async with picking(pics) as user:
        await user.press("slash", "z", "z")
        await user.sees()
        assert user.lines[1].strip() == "No name has these letters."
        await user.press("enter", "down", "tab", "space", "v", "a")
        assert user.host.result is OPEN


async def test_hidden_and_other_files(pics: Path) -> None:
    async with picking(pics) as user:
        await user.press("full_stop")
        await user.until(lambda: ".hidden.png" in user.names)
        assert user.here == "cat.PNG"
        await user.press("f")
        await user.until(lambda: "notes.txt" in user.names)


async def test_sort_cycles(pics: Path) -> None:
    for number, name in enumerate(("cat.PNG", "img1.png", "img2.JPG", "img10.png")):
        os.utime(pics / name, (10**9 + number, 10**9 + number))
    async with picking(pics) as user:
        await user.press("s")
        await user.sees("sub", "img10.png", "img2.JPG", "img1.png", "cat.PNG")
        assert user.here == "cat.PNG"
        assert "newest first" in user.where
        assert "2001-09-" in user.lines[1]
        await user.press("s")
        await user.until(lambda: "largest first" in user.where)
        assert " B" in user.lines[1]
        await user.press("s")
        await user.sees(*SHOWN)


async def test_the_tree(pics: Path) -> None:
    async with picking(pics) as user:
        await user.press("tab", "g", "enter")
        await user.sees("sub", "inner.png", *SHOWN[1:])
        assert user.lines[:2] == [">  ▾ sub", "       inner.png"]
        await user.press("down", "space", "k", "h")
        await user.sees(*SHOWN)
        assert user.here == "sub"
        assert "1 marked" in user.where
        await user.press("enter")
        await user.until(lambda: "inner.png" in user.names)
        await user.press("enter")
        await user.sees(*SHOWN)
        await user.press("h")
        await user.sees("pics")
        await user.press("tab")
        await user.until(lambda: user.lines[0] == ">  ▸ pics")


async def test_all_levels(pics: Path) -> None:
    async with picking(pics) as user:
        await user.press("r")
        await user.sees("cat.PNG", "img1.png", "img2.JPG", "img10.png", "sub/inner.png")
        assert "all levels" in user.where
        await user.press("slash", "s", "i", "n")
        await user.sees("sub/inner.png")
        await user.press("enter")
        assert user.result == PickResult((pics / "sub" / "inner.png",), pics)


# What cannot be shown ---------------------------------------------------------------------------


async def test_facts_and_errors_of_a_file(pics: Path) -> None:
    (pics / "a_broken.png").write_text("no picture at all")
    whole = (pics / "img1.png").read_bytes()
    (pics / "b_cut.png").write_bytes(whole[: len(whole) // 2])
    (pics / "c_wide.png").write_bytes(whole)
    async with picking(pics) as user:
        await user.until(lambda: "Not an image" in user.facts)
        assert str(pics) not in user.facts
        assert "holds text" in user.facts
        await user.press("down")
        await user.until(lambda: "cut off or damaged" in user.facts)
        await user.press("down")
        await user.until(lambda: "64 x 48  PNG" in user.facts)
        picture = user.picker.query_one(Picture)
        await user.until(lambda: picture.is_current)
        assert picture.path == pics / "c_wide.png"
        await user.press("g")
        await user.until(lambda: "1 image, 0 other entries" in user.facts)


async def test_a_folder_that_is_not_there(pics: Path) -> None:
    async with picking(pics / "gone" / "deep") as user:
        await user.sees(*SHOWN)
        assert any("not there" in toast.message for toast in user.host._notifications)


async def test_a_folder_that_vanishes(pics: Path) -> None:
    async with picking(pics / "sub") as user:
        shutil.rmtree(pics / "sub")
        await user.press("ctrl+r")
        await user.sees(*SHOWN[1:])


async def test_entering_a_folder_that_vanished_stays_and_says_so(pics: Path) -> None:
    async with picking(pics) as user:
        shutil.rmtree(pics / "sub")
        await user.press("g", "enter")
        await user.until(lambda: user.host._notifications)
        assert user.names == SHOWN
        await user.press("tab", "enter")
        await user.until(lambda: len(user.host._notifications) == 2)
        await user.press("j", "enter")
        assert user.taken() == ["cat.PNG"]


async def test_empty_folders_in_words(tmp_path: Path) -> None:
    async with picking(tmp_path) as user:
        assert user.lines[1].strip() == "This folder is empty."
        await user.press("enter", "j", "space", "v", "v", "a", "i", "G", "l")
        assert user.host.result is OPEN
        (tmp_path / "a.txt").touch()
        await user.press("ctrl+r")
        await user.until(lambda: "No images here" in user.lines[1])


async def test_names_cannot_move_the_cursor(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a\x1b[31m\nb\u202ec.png")
    async with picking(tmp_path) as user:
        assert user.lines[0] == ">    a bc.png"
        await user.until(lambda: "9 x 9" in user.facts)
        assert user.facts.startswith("a bc.png")
        await user.press("enter")
        assert user.taken() == ["a\x1b[31m\nb\u202ec.png"]


async def test_a_dropped_file_is_marked_and_shown(pics: Path) -> None:
    async with picking(pics) as user:
        user.picker.post_message(events.Paste(f"'{pics}/sub/inner.png' "))
        await user.sees("inner.png")
        assert "1 marked" in user.where
        user.picker.post_message(events.Paste(f"{pics}"))
        await user.sees(*SHOWN)
        user.picker.post_message(events.Paste("/Users/me/My Cat.png"))
        await user.until(lambda: user.host._notifications)
        (toast,) = user.host._notifications
        assert "scp" in toast.message


# The window -------------------------------------------------------------------------------------


async def test_a_small_window_has_the_facts_in_one_line(pics: Path) -> None:
    async with picking(pics, size=(60, 20)) as user:
        assert not user.picker.query_one(FilePreview).display
        brief = user.picker.query_one("#brief", Words)
        await user.until(lambda: "64 x 48  PNG" in str(brief.content))
        assert brief.region.width >= 58
        assert user.list.size.width == 60
        assert user.list.size.height >= 16
        await user.pilot.resize_terminal(100, 30)
        await user.until(lambda: user.picker.query_one(FilePreview).display)
        assert not brief.display


async def test_the_mouse(pics: Path) -> None:
    async with picking(pics) as user:
        await user.pilot.click(FileList, offset=(6, 3))
        assert user.here == "img2.JPG"
        await user.pilot.click(FileList, offset=(1, 2))
        assert "1 marked" in user.where
        assert user.here == "img1.png"
        await user.pilot.click(FileList, offset=(6, 20))
        assert user.here == "img1.png"
        await user.pilot.click(FileList, offset=(6, 0), times=2)
        await user.sees("inner.png")
        await user.pilot.click(FileList, offset=(6, 0), times=2)
        assert user.taken() == ["inner.png"]


async def test_every_key_has_an_id_and_words(pics: Path) -> None:
    async with picking(pics) as user:
        for place in (PickerScreen, FileList, FilterInput):
            for binding in place.BINDINGS:
                assert binding.id.startswith("picker.")
                assert binding.description
        await user.pilot.pause()
        assert user.picker.query_one(Footer).query("FooterKey")


async def test_ten_thousand_files_scroll_to_the_end(tmp_path: Path) -> None:
    for number in range(10_000):
        (tmp_path / f"{number}.png").touch()
    async with picking(tmp_path) as user:
        assert len(user.names) == 10_000
        await user.press("G")
        assert user.here == "9999.png"
        assert user.lines[-1] == ">    9999.png"
        await user.press("pageup")
        assert int(user.here.removesuffix(".png")) == 9999 - user.list.size.height
        await user.press("slash", "9", "9", "7", "7")
        await user.sees("9977.png")


async def test_moving_draws_two_rows_and_no_more(pics: Path) -> None:
    async with picking(pics) as user:
        drawn: list[int] = []
        real = user.list.render_line
        user.list.render_line = lambda y: (drawn.append(y), real(y))[1]  # type: ignore[method-assign]
        await user.press("down")
        assert set(drawn) == {1, 2}


@pytest.mark.parametrize(
    ("name", "room", "head", "tail"),
    [
        ("short.png", 20, "short.png", ""),
        ("a_long_name_of_a_file_0042.png", 20, "a_long_nam", "_0042.png"),
        ("a_long_name", 6, "a_lo", "e"),
        ("你好你好你好你好你好.png", 19, "你好你", "好你好你好.png"),
    ],
)
def test_long_names_keep_their_end(name: str, room: int, head: str, tail: str) -> None:
    from rich.cells import cell_len

    assert shorten(name, room)[1] in (tail, name[-9:])
    shown = "…".join(part for part in shorten(name, room) if part)
    assert cell_len(shown) <= room
    if name.isascii():
        assert shorten(name, room) == (head, tail)
