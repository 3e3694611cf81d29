"""Another model in the middle of a conversation, in the chat screen."""

import pytest
from PIL import Image

from glm4v_tui import hub
from glm4v_tui.config import Settings
from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.engine.protocol import Failed, FailureKind, Loaded, Loading, LoadModel, ModelInfo
from glm4v_tui.engine.scripted import Script
from glm4v_tui.errors import CheckpointError
from glm4v_tui.models import Machine, gathering
from glm4v_tui.plan import Gpu
from glm4v_tui.session import ModelState, TurnState
from glm4v_tui.state import RecentModel, load_state
from glm4v_tui.ui.screens.model import ModelScreen
from tests.chat_user import SLOW, chatting, quick

OLD = LoadModel("owner/old", "int8")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    there = Machine((Gpu(0, 80 << 30),), "NVIDIA H100", 64 << 30)
    monkeypatch.setattr(gathering, "read_machine", lambda _held: there)
    monkeypatch.setattr(hub, "look_ahead", lambda *_: None)  # the hub has whatever is asked for


@pytest.fixture
def cat(tmp_path):
    path = tmp_path / "cat.png"
    Image.radial_gradient("L").convert("RGB").resize((80, 60)).save(path)
    return path


async def switch(user, name):
    await user.press("f4")
    await user.until(lambda: isinstance(user.app.screen, ModelScreen))
    await user.press(*name, "enter")
    await user.until(lambda: not isinstance(user.app.screen, ModelScreen))


def loads_in(user, seconds):
    """How long the next model takes to load."""
    user.session.engine._script = Script((quick("Yes."),), seconds)


async def test_all_that_was_said_and_is_being_written_stays(cat):
    async with chatting(images=[cat], model=OLD) as user:
        first = await user.ask("What is it?")
        user.app.screen._question.attach([(cat, None)])
        await user.write("And what")
        await user.sees("100 tokens")
        await switch(user, "owner/new")
        await user.sees("new  ·", "ready", "What is it?", "And what", "cat.png", "100 tokens")
        assert user.composer.has_focus
        await user.press(*" color", "enter")
        await user.until(lambda: user.last is not first and user.last.state.is_over)
        prompt = user.session.prompt_of(user.last)
        assert [len(message.attachments) for message in prompt] == [1, 0, 1]
        assert user.last.question.text == "And what color"


async def test_an_answer_that_is_being_written_is_kept_as_far_as_it_came():
    async with chatting(SLOW, quick("Yes.")) as user:
        await user.send("Count")
        await user.sees("one two")
        await switch(user, "owner/new")
        await user.sees("ready")
        turn = user.session.turns[0]
        assert (turn.state, turn.error) == (TurnState.STOPPED, None)
        assert "one two" in user.screen
        await user.ask("And now?")


async def test_a_question_asked_meanwhile_waits_for_the_new_model():
    async with chatting(model=OLD) as user:
        loads_in(user, 900)
        await switch(user, "owner/new")
        await user.send("What is it?")
        await user.sees("queued  What is it?", "loading")
        info = ModelInfo("new", "glm4v", "int4", "cuda", 1, 1, 8192, 0.0)
        user.session.engine._events.put_nowait(Loaded(info))
        await user.until(lambda: user.last.state is TurnState.DONE)


async def test_one_key_brings_the_model_of_before_back():
    async with chatting(model=OLD) as user:
        await user.press("f10")
        await user.sees("no other model before")
        await switch(user, "owner/new")
        await user.sees("new  ·")
        await user.press("f10")
        await user.sees("old  ·", "old is loaded again")
        assert user.session.command == OLD
        await user.press("f10")
        await user.sees("new  ·")


def has_nothing(hub_id, _revision):
    raise CheckpointError("There is no such model on the hub", hub_id)


async def test_a_model_that_the_hub_has_not_costs_nothing(monkeypatch):
    monkeypatch.setattr(hub, "look_ahead", has_nothing)
    async with chatting(model=OLD) as user:
        await user.sees("old  ·", "ready")
        await user.press("f4")
        await user.until(lambda: isinstance(user.app.screen, ModelScreen))
        await user.press(*"no/such", "enter")
        await user.sees("There is no such model on the hub", "no/such")
        await user.press("escape")
        await user.sees("old  ·", "ready")
        assert user.session.command == OLD
        await user.ask("What is it?")


async def test_the_model_before_is_looked_for_first(monkeypatch):
    async with chatting(model=OLD) as user:
        await switch(user, "owner/new")
        await user.sees("new  ·", "ready")
        monkeypatch.setattr(hub, "look_ahead", has_nothing)
        await user.press("f10")
        await user.sees("There is no such model on the hub", "owner/old", "new  ·", "ready")
        assert user.session.command.model == "owner/new"


async def test_memory_freed_while_the_model_before_loads_is_no_failure():
    async with chatting(model=OLD) as user:
        await switch(user, "owner/new")
        await user.sees("new  ·", "ready")
        loads_in(user, 900)
        await user.press("f10")
        await user.sees("old is loaded again", "loading")
        await user.press("f8")
        await user.sees("The model's memory is free", "model not in memory")
        assert user.session.model_error is None


async def test_a_model_that_fails_is_told_with_the_key_back():
    async with chatting(model=OLD, load_s=0.0) as user:
        engine = user.session.engine

        async def fails(command):
            await engine.unload()
            failed = Failed(FailureKind.CHECKPOINT, "The weights are missing", "in there")
            engine._events.put_nowait(failed)

        works, engine.load = engine.load, fails
        await switch(user, "owner/new")
        await user.sees("The weights are missing", "F10 loads old again", "loading failed")
        await user.send("What is it?")
        engine.load = works
        await user.press("f10")
        await user.until(lambda: user.last.state is TurnState.DONE)
        assert user.session.command == OLD


async def test_a_download_is_told_and_escape_stops_it():
    async with chatting(model=OLD) as user:
        loads_in(user, 900)
        await switch(user, "glm-4v-9b")
        await user.sees("zai-org/glm-4v-9b is downloaded first of 27.8 GB", "Esc stops it")
        user.session.engine._events.put_nowait(Loading("download", 2_800_000_000, 27_800_000_000))
        await user.sees("downloading", "10%", "2.8/27.8 GB")
        await user.press("escape")
        await user.sees("Stopped; what is here of it stays", "F10 loads old again", "no model")
        assert user.session.model_state is ModelState.NONE
        assert user.session.model_error is None


async def test_another_choice_while_one_is_loading_is_no_failure():
    async with chatting(load_s=900) as user:
        loads_in(user, 0)
        await switch(user, "owner/new")
        await user.sees("new  ·", "ready")
        assert "Loading was ended" not in user.screen


async def test_what_was_loaded_is_on_top_the_next_time_and_the_settings_stay(tmp_path):
    async with chatting(model=LoadModel(str(CHECKPOINT))) as user:
        await switch(user, "owner/new")
        await user.sees("new  ·", "ready")
        await user.until(lambda: load_state()[0].recent_models)
    assert load_state()[0].recent_models == (RecentModel("owner/new"),)
    assert not (tmp_path / "home" / "config").exists()
    async with chatting(model=LoadModel(str(CHECKPOINT)), settings=Settings()) as user:
        await user.press("f4")
        await user.sees("owner/new")
        screen = user.app.screen
        await user.until(lambda: len(screen._shown) > 4)
        assert [offer.model for offer in screen._shown[:2]] == [str(CHECKPOINT), "owner/new"]


async def test_images_cost_what_the_new_model_says(cat):
    async with chatting(images=[cat], model=OLD) as user:
        await user.sees("100 tokens")
        await user.ask("What is it?")  # an image of the conversation, not of the next question
        measured = []
        works = user.session.engine.measure

        async def measure(sizes):
            measured.append(sizes)
            await works(sizes)

        user.session.engine.measure = measure
        await switch(user, "owner/new")
        await user.until(lambda: measured)
        assert measured == [((80, 60),)]
