"""The chat while the memory does not suffice: what is done stands in the turn, and it asks."""

from __future__ import annotations

import asyncio

import pytest

from glm4v_tui.engine.protocol import ConsentWanted, Eased, ModelInfo, Progress
from glm4v_tui.engine.scripted import ScriptedEngine
from glm4v_tui.ui.widgets import consent_bar
from glm4v_tui.ui.widgets.consent_bar import ConsentBar
from tests.chat_user import chatting, quick

QUESTION = "Out of memory. Read the image smaller (784×784, not 1120×1120: 816 tokens less)?"
INT8 = ModelInfo("x", "glm4v", "int8", "cuda:0", 9, 9 << 30, 8192, 1.0)


class ShortEngine(ScriptedEngine):
    """Asks before it answers; a no leads to another precision."""

    async def generate(self, request):
        name = request.request_id
        self.given = asyncio.get_running_loop().create_future()
        self._events.put_nowait(Eased(name, "free", "Freed what is not needed; trying again."))
        assert request.smaller_images == "ask"
        wanted = ConsentWanted(name, QUESTION, (1120, 1120), (784, 784), 816)
        self._events.put_nowait(wanted)
        self._waiting = asyncio.create_task(self._go_on(request))

    async def _go_on(self, request):
        name = request.request_id
        if not await self.given:
            self._events.put_nowait(Eased(name, "precision", "Loading the model again as int8."))
            self._events.put_nowait(Progress(name, "weights", 45, 100))
            await self.loaded.wait()
            self._events.put_nowait(Eased(name, "loaded", "", INT8))
        await super().generate(request)

    async def consent(self, request_id, *, is_given):
        self.loaded = asyncio.Event()
        self.given.set_result(is_given)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def prompt_ears(monkeypatch):
    """Keys count at once: the tests type none that are meant for the composer."""
    monkeypatch.setattr(consent_bar, "_DEAF_S", 0.0)


def chatting_short():
    return chatting(quick("A cat."), kind=ShortEngine)


async def test_what_was_done_stands_in_the_turn_and_a_key_agrees():
    async with chatting_short() as user:
        await user.send("What is it?")
        await user.sees("· Freed what is not needed", QUESTION, "y / n", "waiting for your answer")
        await user.press("y")
        await user.sees("A cat.", "· Freed what is not needed")
        assert user.session.engine.given.result() is True
        assert not user.app.screen.query(ConsentBar)
        assert user.composer.has_focus


async def test_a_no_is_followed_by_another_precision_and_the_bar_names_it():
    async with chatting_short() as user:
        await user.send("What is it?")
        await user.sees("y / n")
        await user.press("n")
        await user.sees("Loading the model again as int8.", "loading the model again: 45%")
        user.session.engine.loaded.set()
        await user.sees("A cat.", "int8 · cuda:0")
        await user.misses("45%")


async def test_who_is_writing_is_not_interrupted():
    async with chatting_short() as user:
        await user.send("What is it?")
        await user.sees("y / n")
        await user.press("k")  # all but the two keys are for the composer
        await user.until(lambda: user.composer.text == "k")
        await user.press("y")
        await user.until(lambda: user.composer.text == "ky")
        await user.sees("Tab, then y / n")
        await user.press("tab", "y")
        await user.sees("A cat.")
        assert user.composer.text == "ky"


async def test_what_was_typed_ahead_is_no_consent(monkeypatch):
    monkeypatch.setattr(consent_bar, "_DEAF_S", 60.0)
    async with chatting_short() as user:
        await user.send("What is it?")
        await user.sees("y / n")
        await user.press("y", "e", "s")
        await user.until(lambda: user.composer.text == "yes")
        assert not user.session.engine.given.done()
