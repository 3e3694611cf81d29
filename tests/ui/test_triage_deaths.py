"""A review whose model's process has ended: what is said of it, and the key that goes on."""

import pytest

from glm4v_tui.engine.ending import AGAIN, ending_of
from glm4v_tui.engine.protocol import Failed, FailureKind, WorkerExited
from glm4v_tui.engine.scripted import Script
from glm4v_tui.session import ModelState
from tests.reviewing import GOOD, images_in, reviewing

KILLED = "it was ended by signal 9 (SIGKILL)"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def folder(tmp_path):
    return images_in(tmp_path / "parts")


def tell(reviewer, *events):
    for event in events:
        reviewer.screen._session.engine._events.put_nowait(event)


def died(request_id=None):
    return Failed(FailureKind.WORKER_DIED, *ending_of(KILLED, ""), request_id)


async def test_a_model_that_died_while_it_loaded_is_loaded_again_by_the_key_that_is_named(folder):
    async with reviewing(folder, load_s=900) as reviewer:
        session = reviewer.screen._session
        tell(reviewer, died(), WorkerExited(KILLED, expected=False))
        await reviewer.sees("no model: loading failed, F5 loads it again")
        await reviewer.sees("It was ended by", "signal 9 (SIGKILL)", "F5 loads", "F4 another one.")
        assert "conversation" not in reviewer.text
        await reviewer.press("n")
        await reviewer.sees("2/4 part-1.png")
        assert session.model_state is ModelState.FAILED
        session.engine._script = Script((GOOD,))
        await reviewer.press("f5")
        await reviewer.sees("The model says good.")
        assert "loading failed" not in reviewer.text
        await reviewer.press("a")
        assert reviewer.label(1) == "good"


async def test_a_model_that_died_again_and_again_is_asked_again_by_the_same_key(folder):
    """The look-ahead has given up then, and the process is begun anew when it is asked."""
    async with reviewing(folder, load_s=900) as reviewer:
        screen = reviewer.screen
        screen._session.engine._script = Script((GOOD,))
        screen._session.model_state = ModelState.GONE
        screen._ahead.pause()
        await reviewer.press("f5")
        await reviewer.sees("The model says good.")


def test_the_words_of_a_death_are_what_is_taken_away():
    assert ending_of(KILLED, "").remedy == AGAIN
