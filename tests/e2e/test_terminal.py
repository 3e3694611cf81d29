"""The harness itself, on a small Textual app: what the other tests here rely on."""

import os
import signal
import sys
import time

import pytest

from .terminal import ScreenTerminal, environment, wait_gone

APP = """
import os, subprocess, sys
from textual.app import App
from textual.widgets import Label, TextArea

class Small(App):
    def compose(self):
        yield Label("size", id="size")
        text = TextArea(id="text")
        text.cursor_blink = False
        yield text

    def on_mount(self):
        self.query_one(TextArea).focus()

    def on_resize(self, event):
        self.query_one("#size").update(f"size {event.size.width}x{event.size.height}")

    def on_paste(self, event):
        self.query_one("#size").update(f"pasted {event.text!r}")

    def key_f5(self):
        sleeper = [sys.executable, "-c", "import time; time.sleep(600)", "worker"]
        subprocess.Popen(sleeper, start_new_session=True)
        self.query_one("#size").update("started")

Small().run()
"""


@pytest.fixture
def small(tmp_path):
    (tmp_path / "small.py").write_text(APP)
    with ScreenTerminal(
        [sys.executable, str(tmp_path / "small.py")],
        size=(60, 12),
        environ=environment(tmp_path),
    ) as terminal:
        terminal.wait_for("size 60x12")
        yield terminal


def test_typing_pasting_and_resizing_reach_the_app(small):
    small.type("hello")
    small.wait_for("hello")
    small.press("backspace", "backspace")
    small.wait_for("hel ")
    small.paste("mets\nand hats")
    small.wait_for(r"helmets +▎\n▊ and hats")
    small.resize(80, 20)
    small.wait_for("size 80x20")
    assert len(small.screen_lines()) == 20


def test_latency_is_from_the_key_to_the_frame_with_its_letter(small):
    times = [small.latency(letter.encode(), letter.encode()) for letter in "ᐁᐂᐃᐄᐅ"]
    assert all(0 < seconds < 2 for seconds in times)
    small.wait_for("ᐁᐂᐃᐄᐅ")


def test_a_still_app_writes_nothing(small):
    small.wait_quiet(0.5)
    assert small.count_bytes(1) == 0
    small.type("x")
    assert small.count_bytes(0.5) > 0


def test_a_slow_line_holds_the_output_back(small):
    small.wait_quiet(0.5)
    small.bytes_per_s = 1000
    before, start = small.written, time.perf_counter()
    small.resize(100, 30)
    small.wait_until(lambda: small.written > before + 2000, 20, "2000 bytes")
    assert time.perf_counter() - start > 1


def test_hanging_up_is_a_sighup_and_orphans_are_seen(small):
    small.press("f5")
    small.wait_for("started")
    children = small.children()
    assert [child.cmdline()[-1] for child in children] == ["worker"]
    assert small.worker() == children[0]
    small.hang_up()
    small.wait_exit()
    with pytest.raises(AssertionError, match="left over"):
        wait_gone(children, timeout=0.3)
    children[0].kill()
    wait_gone(children)


def test_hanging_up_is_heard_by_programs_of_one_that_ignores_it(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup leaves it
    try:
        with ScreenTerminal(
            [sys.executable, "-c", "print('here', flush=True); import time; time.sleep(600)"],
            size=(60, 12),
            environ=environment(tmp_path),
        ) as terminal:
            terminal.wait_for("here")
            terminal.hang_up()
            assert terminal.wait_exit() == -signal.SIGHUP
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_picture_of_the_screen(small, tmp_path):
    from PIL import Image

    path = small.save_picture(tmp_path / "screen.png")
    with Image.open(path) as image:
        assert image.size == (60 * 9, 12 * 18)
        assert len(image.getcolors(1 << 20)) > 3


def test_what_did_not_come_is_told_with_the_screen(small):
    with pytest.raises(AssertionError, match="size 60x12"):
        small.wait_for("never", timeout=0.2)
    os.kill(small.process.pid, 9)
    assert small.wait_exit() == -9
    with pytest.raises(AssertionError, match="ended with status -9"):
        small.wait_for("never", timeout=5)
