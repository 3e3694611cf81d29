"""Choosing a model, in a bare app."""

import pytest
from textual.app import App
from textual.widgets import Input, OptionList

from glm4v_tui.config import ModelSettings
from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.ui.screens.model import ModelScreen, cached_models

OPEN = object()


class Host(App):
    def __init__(self, chosen=None):
        super().__init__()
        self.chosen, self.result = chosen, OPEN
        self.known = []

    def on_mount(self):
        screen = ModelScreen(self.chosen, ModelSettings(), self.known)
        self.push_screen(screen, lambda result: setattr(self, "result", result))


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


async def choose(*keys, chosen=None):
    app = Host(chosen)
    async with app.run_test(size=(100, 30)) as pilot:
        await app.workers.wait_for_complete()
        await pilot.press(*keys)
        await pilot.pause()
    return app.result


async def test_a_hub_id_is_taken_as_it_is_written():
    assert await choose(*"a/b", "enter") == LoadModel("a/b", "auto", "auto")


async def test_the_model_of_now_stands_there():
    now = LoadModel("a/b", "fp32", "cpu")
    assert await choose("enter", chosen=now) == now


async def test_escape_chooses_nothing():
    assert await choose(*"a/b", "escape") is None


@pytest.mark.parametrize("keys", [["enter"], [*"/no/such", "enter"]])
async def test_what_cannot_be_loaded_leaves_it_open(keys):
    assert await choose(*keys) is OPEN


async def test_a_folder_that_cannot_be_loaded_is_told_before_anything_is_ended(tmp_path):
    app = Host()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press(*str(tmp_path).replace("/", "/"), "enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "config.json" in app.screen.query_one(".problem").content.plain
        assert app.result is OPEN


async def test_known_models_are_offered_first_and_once(hub):
    (hub / "models--owner--one").mkdir(parents=True)
    app = Host()
    app.known = ["owner/one", str(CHECKPOINT)]
    async with app.run_test(size=(100, 30)) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        known = app.screen.query_one("#known", OptionList)
        shown = [str(known.get_option_at_index(at).prompt) for at in range(known.option_count)]
        assert shown == ["owner/one", "the embedded model"]
        known.focus()
        await pilot.press("down", "down", "enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.result == LoadModel(str(CHECKPOINT), "auto", "auto")


async def test_models_of_the_hub_cache_are_offered(hub):
    (hub / "models--owner--one-two").mkdir(parents=True)
    (hub / "datasets--owner--data").mkdir()
    assert cached_models() == ["owner/one-two"]
    app = Host()
    async with app.run_test(size=(100, 30)) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        known = app.screen.query_one("#known", OptionList)
        assert known.display
        known.focus()
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.result == LoadModel("owner/one-two", "auto", "auto")


async def test_the_name_has_the_focus():
    app = Host()
    async with app.run_test():
        assert isinstance(app.focused, Input)
