"""The viewer in a bare app: keys in, a request to ask about something out."""

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from textual.app import App
from textual.widgets import Static

from glm4v_tui import images
from glm4v_tui.chat import Box
from glm4v_tui.ui.halfblock import PaintedStrip
from glm4v_tui.ui.paintings import Paintings
from glm4v_tui.ui.screens.viewer import AskAbout, ViewerItem, ViewerScreen
from glm4v_tui.ui.widgets.picture import Picture

SIZE = (100, 42)  # 40 rows for the picture


@pytest.fixture(autouse=True)
def colors(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")


class Counted(Paintings):
    def __init__(self) -> None:
        super().__init__(load=self._count)
        self.loads: list[tuple[str, Box | None]] = []

    def _count(self, path, max_width, max_height, crop):
        self.loads.append((path.name, crop))
        return images.thumbnail(path, max_width, max_height, crop)


class Host(App[None]):
    def __init__(self, items, index: int = 0) -> None:
        super().__init__()
        self.store = Counted()
        self.viewer = ViewerScreen(items, index, self.store)
        self.results: list[AskAbout | None] = []
        self.failed: list[Path] = []

    def on_mount(self) -> None:
        self.push_screen(self.viewer, self.results.append)

    def on_picture_failed(self, message: Picture.Failed) -> None:
        self.failed.append(message.path)

    @property
    def line(self) -> str:
        return str(self.viewer.query_one("#line", Static).content)

    @property
    def picture(self) -> Picture:
        return self.viewer.query_one(Picture)

    @property
    def seen(self) -> set[int]:
        """The colors on the screen."""
        rows = [row for row in self.picture._canvas.rows if isinstance(row, PaintedStrip)]
        return {code for row in rows for code in np.unique(row.cells).tolist()}

    async def still(self) -> None:
        """Wait until what was asked for last is on the screen, fine."""
        await until(lambda: self.picture.is_current and not self.picture._is_busy)
        await until(lambda: self.viewer._view or self.failed)


async def until(condition, seconds: float = 10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


@pytest.fixture
def quarters(tmp_path: Path) -> Path:
    """1000x800: red, green, blue, white."""
    image = Image.new("RGB", (1000, 800), "#ff0000")
    image.paste("#00ff00", (500, 0, 1000, 400))
    image.paste("#0000ff", (0, 400, 500, 800))
    image.paste("#ffffff", (500, 400, 1000, 800))
    image.save(tmp_path / "quarters.png")
    return tmp_path / "quarters.png"


@pytest.fixture
def three(tmp_path: Path) -> list[ViewerItem]:
    items = []
    for number, color in enumerate(("#110000", "#002200", "#000033")):
        Image.new("RGB", (300, 200), color).save(tmp_path / f"{number}.png")
        items.append(ViewerItem(tmp_path / f"{number}.png", label=f"image {number}"))
    return items


async def test_it_shows_the_whole_image_and_its_facts_in_a_line(quarters):
    app = Host([ViewerItem(quarters)])
    async with app.run_test(size=SIZE):
        await app.still()
        assert {0xFF0000, 0x00FF00, 0x0000FF, 0xFFFFFF} <= app.seen
        assert app.line == "1/1 quarters.png · 1000×800 · 10%"


async def test_leafing_updates_the_text_before_the_picture(three):
    app = Host(three)
    async with app.run_test(size=SIZE) as pilot:
        await app.still()
        await pilot.press("n", "space")
        assert app.line.startswith("3/3 image 2")
        assert not app.picture.is_current
        await app.still()
        assert app.seen == {0x000033}
        await pilot.press("p", "pageup", "backspace")  # one more than there are
        await app.still()
        assert app.line.startswith("1/3 image 0")
        await pilot.press("end")
        assert app.line.startswith("3/3")


async def test_neighbours_are_decoded_ahead(three):
    app = Host(three, index=1)
    async with app.run_test(size=SIZE) as pilot:
        await until(
            lambda: sorted(name for name, _ in app.store.loads) == ["0.png", "1.png", "2.png"]
        )
        await pilot.press("n")
        await app.still()
        assert len(app.store.loads) == 3


async def test_zoom_pan_and_ask_about_what_is_visible(quarters):
    app = Host([ViewerItem(quarters)])
    async with app.run_test(size=SIZE) as pilot:
        await app.still()
        await pilot.press("1")
        await app.still()
        assert app.line.endswith("100% · 100×80 at 450,360")
        for _ in range(20):
            await pilot.press("left")
        assert app.line.endswith("100×80 at 0,360")
        await app.still()
        assert app.seen == {0xFF0000, 0x0000FF}
        await pilot.press("enter")
        assert app.results == [AskAbout(quarters, Box(0, 360, 100, 440))]


async def test_the_last_view_stays_until_the_new_one_is_there(quarters):
    app = Host([ViewerItem(quarters)])
    async with app.run_test(size=SIZE) as pilot:
        await app.still()
        await pilot.press("plus")
        assert len(app.seen) >= 4
        await app.still()
        assert len(app.seen) >= 4


async def test_a_pan_of_a_zoomed_image_seldom_decodes(quarters):
    app = Host([ViewerItem(quarters)])
    async with app.run_test(size=SIZE) as pilot:
        await app.still()
        await pilot.press("1")
        await app.still()
        before = len(app.store.loads)
        for key in ("right", "right", "down", "left"):
            await pilot.press(key)
            await app.still()
        assert len(app.store.loads) == before


async def test_fit_comes_back_to_all_of_it(quarters):
    app = Host([ViewerItem(quarters)])
    async with app.run_test(size=SIZE) as pilot:
        await app.still()
        await pilot.press("plus", "plus", "f")
        assert app.line.endswith("10%")
        await pilot.press("enter")
        assert app.results == [AskAbout(quarters, None)]


async def test_a_frame_is_cut_out_in_pixels_of_the_upright_image(tmp_path):
    stored = Image.new("RGB", (800, 1000), "#777777")  # shown as 1000x800
    exif = stored.getexif()
    exif[0x0112] = 6
    stored.save(tmp_path / "turned.jpg", exif=exif)
    app = Host([ViewerItem(tmp_path / "turned.jpg")])
    async with app.run_test(size=SIZE) as pilot:
        await app.still()
        await pilot.press("c")
        assert app.line.startswith("crop 500×400 at 250,200 · 1/1")
        assert {0x000000, 0xFFFFFF} <= app.seen
        await pilot.press("right", "l", "up", "shift+right", "L", "K")
        assert app.line.startswith("crop 520×380 at 270,180")
        await pilot.press("enter")
        assert app.results == [AskAbout(tmp_path / "turned.jpg", Box(270, 180, 790, 560))]


async def test_escape_leaves_the_frame_first(quarters):
    app = Host([ViewerItem(quarters)])
    async with app.run_test(size=SIZE) as pilot:
        await app.still()
        await pilot.press("c", "escape")
        assert app.results == []
        assert app.line.startswith("1/1")
        await pilot.press("escape")
        assert app.results == [None]


async def test_an_attached_part_is_all_there_is_to_see(quarters):
    part = Box(0, 400, 500, 800)
    app = Host([ViewerItem(quarters, part)])
    async with app.run_test(size=SIZE) as pilot:
        await app.still()
        assert 0x0000FF in app.seen
        assert not {0xFF0000, 0x00FF00, 0xFFFFFF} & app.seen
        assert "500×400" in app.line
        await pilot.press("1", "left", "left", "left", "left", "left", "left", "left", "left")
        assert app.line.endswith("at 0,560")
        await pilot.press("f", "enter")
        assert app.results == [AskAbout(quarters, part)]


async def test_a_broken_file_can_be_passed_by(tmp_path, three):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    items = [ViewerItem(tmp_path / "broken.png"), three[1]]
    app = Host(items)
    async with app.run_test(size=SIZE) as pilot:
        await app.still()
        await pilot.press("plus", "c", "1", "right")  # right: to the next, nothing to pan
        assert app.line == "1/2 broken.png"
        await pilot.press("i")
        await until(lambda: str(app.viewer.query_one("#facts", Static).content))
        await pilot.press("n")
        await app.still()
        assert app.seen == {0x002200}


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (12000, 9000)])
async def test_any_size_at_60_by_20(tmp_path, size):
    path = tmp_path / "any.png"
    Image.new("1", size, 1).save(path)
    app = Host([ViewerItem(path)])
    async with app.run_test(size=(60, 20)) as pilot:
        await app.still()
        await pilot.press("plus", "plus", "right", "down", "1", "c", "L", "J", "i")
        await app.still()
        assert app.seen <= {0xFFFFFF, 0}
        assert app.viewer.query_one("#line").region.bottom <= 20
        await pilot.press("enter")
        assert app.results[0] is not None
        box = app.results[0].box
        assert 0 <= box.left < box.right <= size[0]
        assert 0 <= box.top < box.bottom <= size[1]


async def test_facts(quarters):
    app = Host([ViewerItem(quarters)])
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("i")
        facts = app.viewer.query_one("#facts", Static)
        await until(lambda: "PNG, 1000×800, RGB" in str(facts.content))
        assert facts.display


async def test_a_resize_keeps_the_place(quarters):
    app = Host([ViewerItem(quarters)])
    async with app.run_test(size=SIZE) as pilot:
        await app.still()
        await pilot.press("1")
        await pilot.resize_terminal(60, 22)
        await until(lambda: app.line.endswith("60×40 at 470,380"))
        await app.still()


def test_every_binding_can_be_named_in_a_keymap():
    bindings = ViewerScreen.BINDINGS
    assert len({binding.id for binding in bindings}) == len(bindings)
    assert all(binding.id.startswith("viewer.") and binding.description for binding in bindings)
