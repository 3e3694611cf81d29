"""The picture widget in a running app: real files, real threads."""

import asyncio
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from textual.app import App
from textual.containers import VerticalScroll
from textual.widgets import Static

from glm4v_tui import images
from glm4v_tui.chat import Box
from glm4v_tui.errors import ImageMissingError, NotAnImageError
from glm4v_tui.ui.halfblock import PaintedStrip
from glm4v_tui.ui.paintings import Paintings, fit
from glm4v_tui.ui.picture_mode import PictureMode
from glm4v_tui.ui.widgets.picture import Picture


@pytest.fixture(autouse=True)
def colors(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")


class Recorder(Paintings):
    """Real paintings that remember what was decoded, where, and can be held back."""

    def __init__(self) -> None:
        super().__init__(load=self._record)
        self.loads: list[tuple[Path, Box | None]] = []
        self.threads: set[threading.Thread] = set()
        self.gate = threading.Event()
        self.gate.set()

    def _record(self, path, max_width, max_height, crop):
        assert self.gate.wait(10)
        self.loads.append((path, crop))
        self.threads.add(threading.current_thread())
        return images.thumbnail(path, max_width, max_height, crop)


class Host(App[None]):
    CSS = """
    .log { height: auto; max-height: 10; content-align: left top; padding: 0 0 0 2; }
    #far { height: 200; }
    """

    def __init__(self, *widgets, mode: PictureMode | None = None) -> None:
        super().__init__()
        self.picture_mode = mode or PictureMode()
        self._widgets = widgets
        self.shown: list[Picture.Shown] = []
        self.failed: list[Picture.Failed] = []

    def compose(self):
        yield from self._widgets

    def on_picture_shown(self, message):
        self.shown.append(message)

    def on_picture_failed(self, message):
        self.failed.append(message)


async def until(condition, seconds: float = 10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


def painted(picture: Picture) -> list[PaintedStrip]:
    return [row for row in picture._canvas.rows if isinstance(row, PaintedStrip)]


def colors_of(picture: Picture) -> set[int]:
    return {code for row in painted(picture) for code in np.unique(row.cells).tolist()}


def save(path: Path, size: tuple[int, int], color="#c04020", mode: str = "RGB") -> Path:
    Image.new(mode, size, color).save(path)
    return path


@pytest.fixture
def red(tmp_path: Path) -> Path:
    return save(tmp_path / "red.png", (400, 300), "#ff0000")


@pytest.fixture
def store() -> Recorder:
    return Recorder()


async def test_it_shows_a_picture_and_says_its_size(red, store):
    picture = Picture(red, paintings=store)
    app = Host(picture)
    async with app.run_test(size=(80, 24)):
        await until(lambda: app.shown)
        assert (app.shown[0].path, app.shown[0].width, app.shown[0].height) == (red, 400, 300)
        assert picture.is_current
        assert colors_of(picture) == {0xFF0000}
        assert len(painted(picture)) == 24  # 4:3 is 64 columns by 24 rows
        assert painted(picture)[0].cells.shape == (2, 64)


async def test_nothing_is_decoded_on_the_event_loop(red, store):
    app = Host(Picture(red, paintings=store))
    async with app.run_test():
        await until(lambda: app.shown)
        assert threading.main_thread() not in store.threads


async def test_repainting_an_unchanged_picture_decodes_nothing(red, store):
    picture = Picture(red, paintings=store)
    app = Host(picture)
    async with app.run_test() as pilot:
        await until(lambda: app.shown)
        rows = picture._canvas.rows.copy()
        for _ in range(5):
            picture.refresh()
            await pilot.pause()
        assert len(store.loads) == 1
        assert all(row is before for row, before in zip(picture._canvas.rows, rows, strict=True))


async def test_a_burst_of_keys_decodes_only_the_last(tmp_path, store):
    files = [save(tmp_path / f"{n}.png", (200, 150), (n, 0, 200)) for n in range(20)]
    picture = Picture(files[0], paintings=store)
    app = Host(picture)
    async with app.run_test():
        await until(lambda: app.shown)
        for file in files[1:]:
            picture.show(file)
            await asyncio.sleep(0.01)
        assert not picture.is_current
        await until(lambda: picture.is_current)
        assert picture.path == files[-1]
        assert [path for path, _ in store.loads] in (
            [files[0], files[-1]],
            [files[0], files[1], files[-1]],
        )
        await until(lambda: colors_of(picture) == {0x1300C8})  # fine follows coarse


async def test_the_height_in_a_log_is_right_before_anything_is_decoded(red, store):
    store.gate.clear()
    picture = Picture(red, image_size=(400, 300), paintings=store, classes="log")
    small = Picture(
        red, crop=Box(0, 0, 100, 10), image_size=(400, 300), paintings=store, classes="log"
    )
    app = Host(VerticalScroll(picture, Static("below"), small))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        before = (picture.region, small.region)
        assert picture.region.height == 10
        assert small.region.height == 4  # 78 columns: 100x10 becomes 78 x 4
        store.gate.set()
        await until(lambda: len(app.shown) == 2)
        await pilot.pause()
        assert (picture.region, small.region) == before


async def test_a_log_learns_the_height_when_nobody_told_it(tmp_path, store):
    wide = save(tmp_path / "wide.png", (2000, 100))
    picture = Picture(wide, paintings=store, classes="log")
    app = Host(VerticalScroll(picture))
    async with app.run_test(size=(80, 24)):
        await until(lambda: app.shown)
        assert picture.region.height == 2
        assert len(store.loads) == 1


async def test_a_picture_that_is_scrolled_out_costs_nothing(red, store):
    far = Picture(red, image_size=(400, 300), paintings=store, classes="log")
    log = VerticalScroll(Static(id="far"), far)
    app = Host(log)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.05)
        assert store.loads == []
        log.scroll_end(animate=False)
        await until(lambda: app.shown)
        assert len(store.loads) == 1


async def test_a_file_that_cannot_be_shown_says_why_in_its_place(tmp_path, store, red):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"this is no picture")
    picture = Picture(broken, paintings=store, classes="log")
    app = Host(picture)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.failed)
        assert isinstance(app.failed[0].error, NotAnImageError)
        await pilot.pause()
        assert "Not an image" in str(picture.render())
        assert picture.region.height > 1
        picture.show(tmp_path / "gone.png")
        await until(lambda: len(app.failed) == 2)
        assert isinstance(app.failed[1].error, ImageMissingError)
        picture.show(red)
        await until(lambda: app.shown)
        assert painted(picture)


@pytest.mark.parametrize("off", ["setting", "no_color", "dumb"])
async def test_without_pictures_a_card_stands_in(red, store, off, monkeypatch):
    if off == "no_color":
        monkeypatch.setenv("NO_COLOR", "1")
    if off == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    mode = PictureMode(images="off") if off == "setting" else PictureMode()
    picture = Picture(red, paintings=store, classes="log")
    app = Host(picture, mode=mode)
    async with app.run_test():
        await until(lambda: app.shown)
        assert str(picture.render()) == "red.png  400×300"
        assert store.loads == []


async def test_names_cannot_smuggle_sequences_into_the_card(tmp_path, store):
    path = save(tmp_path / "a\x1b]0;owned\x07[b]\x9b31m.png", (4, 4))
    picture = Picture(path, paintings=store, classes="log")
    app = Host(picture, mode=PictureMode(images="off"))
    async with app.run_test():
        await until(lambda: app.shown)
        assert str(picture.render()) == "a[b].png  4×4"


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
async def test_odd_shapes(tmp_path, store, size):
    path = save(tmp_path / "odd.png", size, "#00ff00")
    picture = Picture(path, paintings=store)
    app = Host(picture)
    async with app.run_test(size=(60, 20)):
        await until(lambda: app.shown)
        assert colors_of(picture) == {0x00FF00}


async def test_transparency_and_bytes_of_low_bandwidth(tmp_path, store):
    path = tmp_path / "noise.png"
    noise = np.random.default_rng(1).integers(0, 256, (600, 800, 4), dtype=np.uint8)
    Image.fromarray(noise, "RGBA").save(path)
    picture = Picture(path, paintings=store)
    app = Host(picture, mode=PictureMode(low_bandwidth=True))
    async with app.run_test(size=(120, 40)):
        await until(lambda: app.shown)
        assert sum(len(row.output.encode()) for row in painted(picture)) < 60_000


async def test_a_resize_and_a_theme_paint_again_without_decoding_twice(red, store):
    picture = Picture(red, paintings=store)
    app = Host(picture)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.shown)
        app.theme = "textual-light"
        await until(lambda: len(app.shown) == 2)
        assert len(store.loads) == 1
        await pilot.resize_terminal(60, 20)
        await until(lambda: len(painted(picture)) == 20)
        assert len(store.loads) == 2


async def test_a_part_of_an_image(tmp_path, store):
    image = Image.new("RGB", (400, 300), "#0000ff")
    image.paste("#00ff00", (100, 100, 200, 200))
    image.save(tmp_path / "parts.png")
    picture = Picture(tmp_path / "parts.png", crop=Box(110, 110, 190, 190), paintings=store)
    app = Host(picture)
    async with app.run_test():
        await until(lambda: app.shown)
        assert colors_of(picture) == {0x00FF00}
        assert (app.shown[0].width, app.shown[0].height) == (400, 300)
        picture.show(tmp_path / "parts.png", Box(200, 0, 400, 90))
        await until(lambda: colors_of(picture) == {0x0000FF})
        assert len(store.loads) <= 2


async def test_a_picture_painted_ahead_is_there_at_once(tmp_path, red, store):
    blue = save(tmp_path / "blue.png", (400, 300), "#0000ff")
    picture = Picture(red, paintings=store)
    app = Host(picture)
    async with app.run_test():
        await until(lambda: app.shown)
        picture.make_ahead([(blue, None), (tmp_path / "missing.png", None)])
        await until(lambda: len(store.loads) == 2)
        picture.show(blue)
        await until(lambda: colors_of(picture) == {0x0000FF})
        assert len(store.loads) == 2


async def test_what_is_kept_is_bounded(tmp_path):
    store = Recorder()
    store._paintings._limit = store._pixels._limit = 200_000
    picture = Picture(paintings=store)
    app = Host(picture)
    async with app.run_test(size=(100, 40)):
        for n in range(12):
            picture.show(save(tmp_path / f"{n}.png", (100, 80), (n, n, n)))
            await until(lambda n=n: len(app.shown) > n)
        assert store._paintings._total <= 200_000
        assert store._pixels._total <= 200_000
        picture.show(None)
        assert picture.path is None
        assert not painted(picture)


@pytest.mark.parametrize(
    ("size", "cells", "expected"),
    [
        ((4000, 3000), (100, 38), (100, 38)),
        ((12000, 9000), (60, 20), (53, 20)),
        ((1, 5000), (100, 38), (1, 38)),
        ((5000, 1), (100, 38), (100, 1)),
        ((1, 1), (100, 38), (8, 4)),
        ((28, 28), (100, 38), (76, 38)),
    ],
)
def test_fit_keeps_the_shape(size, cells, expected):
    assert fit(size, cells) == expected
