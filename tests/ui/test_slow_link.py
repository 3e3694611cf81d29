"""Pictures on a slow line: the viewer in a real pseudo-terminal that is read at 250 KB/s."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glm4v_tui.bench.terminal import Terminal

VIEWER = """
import sys
from pathlib import Path
from textual.app import App
from glm4v_tui.ui.screens.viewer import ViewerItem, ViewerScreen

class Host(App):
    def on_mount(self):
        paths = sorted(Path(sys.argv[1]).iterdir())
        self.push_screen(ViewerScreen([ViewerItem(path) for path in paths]))

Host().run()
"""
LINK = 250_000
PRESSES = 20
SLACK = 2
"""A busy machine may take this many times as long as the promise."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Pictures with as many colors as pixels, which are the costly ones."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(5)
    for number in range(PRESSES + 4):
        small = Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
        small.resize((800, 600), Image.Resampling.BICUBIC).save(folder / f"{number:02}.jpg")
    return folder


@pytest.fixture
def viewer(photos):
    environ = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environ |= {"TERM": "xterm-256color", "TEXTUAL_COLOR_SYSTEM": "truecolor"}
    environ |= {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", VIEWER, str(photos)]
    with Terminal(command, size=(102, 40), environ=environ) as terminal:
        terminal.wait_bytes("800×600".encode())
        terminal.wait_quiet(1.0)
        yield terminal


def test_one_key_press_draws_one_picture_and_then_nothing(viewer):
    assert viewer.count_bytes(0.5) == 0
    before = viewer.written
    viewer.press("n")
    viewer.wait_bytes("2/24 01.jpg · 800×600".encode(), since=before)
    viewer.wait_quiet(0.6)
    assert 20_000 < viewer.written - before < 160_000


def test_holding_next_leaves_the_screen_at_most_half_a_second_behind(viewer):
    viewer.bytes_per_s = LINK
    before = viewer.written
    for _ in range(PRESSES):
        viewer.press("n")
        time.sleep(1 / PRESSES)
    last = time.perf_counter() - 1 / PRESSES
    text = viewer.wait_bytes(f"{PRESSES + 1}/24".encode(), since=before)
    assert viewer.time_of(text) - last < 0.5 * SLACK
    assert text - before < 30_000, "pictures were drawn while the keys came"
    coarse = viewer.wait_bytes("800×600".encode(), since=text)  # told when the picture is drawn
    assert viewer.time_of(coarse) - last < 0.5 * SLACK
    assert coarse - text < 45_000


def test_a_key_pressed_while_a_picture_gets_sharp_is_answered_at_once(viewer):
    viewer.bytes_per_s = LINK
    before = viewer.written
    for _ in range(5):
        viewer.press("n")
        time.sleep(0.05)
    drawn = viewer.wait_bytes("800×600".encode(), since=before)
    viewer.wait_until(lambda: viewer.written > drawn + 10_000, 10, "the fine picture")
    start = time.perf_counter()
    since = viewer.written
    viewer.press("n")
    assert viewer.time_of(viewer.wait_bytes(b"7/24", since=since)) - start < 0.3 * SLACK
