"""Asking a terminal about pixels: a scripted one at the other end of a real pseudo-terminal."""

import os
import pty
import select
import threading
import time

import pytest

from glm4v_tui.ui import pixels


class Scripted:
    """A terminal that answers the questions in pieces, each after a delay (seconds)."""

    def __init__(self, *answers: tuple[float, bytes]) -> None:
        self.master, self.slave = pty.openpty()
        self.heard = b""
        self._answers = answers
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while b"\x1b[c" not in self.heard:
            self.heard += os.read(self.master, 4096)
        for delay, answer in self._answers:
            time.sleep(delay)
            os.write(self.master, answer)

    def left_over(self) -> bytes:
        self._thread.join()
        ready, _, _ = select.select([self.slave], [], [], 0.05)
        return os.read(self.slave, 4096) if ready else b""

    def close(self) -> None:
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def terminal(request):
    scripted = Scripted(*request.param)
    yield scripted
    scripted.close()


SIXEL = b"\x1b[?62;4;22c"
PLAIN = b"\x1b[?62;22c"
KITTY = b"\x1b_Gi=31;OK\x1b\\"
CELL = b"\x1b[6;18;9t"


@pytest.mark.parametrize(
    ("terminal", "expected"),
    [
        (((0, CELL + SIXEL),), (True, False, (9, 18))),
        (((0, KITTY + CELL + PLAIN),), (False, True, (9, 18))),
        (((0, PLAIN),), (False, False, (0, 0))),
        (((0.3, CELL), (0.3, SIXEL)), (True, False, (9, 18))),
        (((0, SIXEL), (0.1, KITTY)), (True, True, (0, 0))),  # tmux answers for itself first
        (((0, b"\x1b_Gi=31;ENOTSUPPORTED\x1b\\" + PLAIN),), (False, False, (0, 0))),
        (((0, SIXEL[:4]), (0.05, SIXEL[4:])), (True, False, (0, 0))),
    ],
    indirect=["terminal"],
)
def test_answers_are_understood_and_none_is_left_to_become_a_key(terminal, expected):
    answers = pixels.ask(terminal.slave)
    assert (answers.has_sixel, answers.has_kitty, answers.cell) == expected
    assert terminal.left_over() == b""


@pytest.mark.parametrize("terminal", [((0, b""),)], indirect=True)
def test_a_silent_terminal_is_not_waited_for_long(terminal):
    start = time.monotonic()
    answers = pixels.ask(terminal.slave, patience=0.2)
    assert time.monotonic() - start < 2
    assert not answers.has_sixel
    assert not answers.has_kitty


@pytest.mark.parametrize("terminal", [((0, KITTY + SIXEL),)], indirect=True)
def test_within_tmux_the_question_for_kitty_is_passed_through(terminal, monkeypatch):
    monkeypatch.setenv("TMUX", "/tmp/tmux,1,0")
    pixels.ask(terminal.slave)
    assert b"\x1bPtmux;\x1b\x1b_G" in terminal.heard


def test_without_the_package_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(pixels, "find_spec", lambda name: None)
    problem = pixels.prepare("sixel")
    assert "glm4v-tui[pixels]" in problem
    assert "half blocks" in problem
    assert pixels.pixel_widget("sixel") is None
