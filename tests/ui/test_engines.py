"""Engines elsewhere in the chat: chosen by key, seen by a lamp, asked before images leave."""

import contextlib
import re
from types import SimpleNamespace

import pytest
from PIL import Image

from glm4v_tui import paths
from glm4v_tui.commands.start import make_engine, place_of_task, plugins_of
from glm4v_tui.config import Settings
from glm4v_tui.engine.protocol import LoadModel, ModelInfo
from glm4v_tui.models import Machine, gathering
from glm4v_tui.plan import Gpu
from glm4v_tui.session import ModelState, TurnState
from glm4v_tui.store.database import Database
from glm4v_tui.store.sent import Sent
from glm4v_tui.ui.app import Glm4vApp
from glm4v_tui.ui.launch import Launch
from glm4v_tui.ui.screens.model import ModelScreen
from glm4v_tui.ui.triage.words import model_words
from glm4v_tui.ui.widgets.side_bar import SideBar
from tests.chat_server import DONE, ChatServer, Drop, Stream, answer, chunk, models
from tests.chat_user import User

FAR = "http://gpu.example"
TASK = """
name = "sort"
question = "What is it?"
[fields.kind]
type = "choice"
choices = ["a", "b"]
"""
SCRIPT = '[[answers]]\ntext = "I am at home."\ntokens_per_s = 1e6\n'


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    there = Machine((Gpu(0, 80 << 30),), "NVIDIA H100", 64 << 30)
    monkeypatch.setattr(gathering, "read_machine", lambda _held: there)
    (tmp_path / "script.toml").write_text(SCRIPT)


@pytest.fixture
def cat(tmp_path):
    path = tmp_path / "cat.png"
    Image.radial_gradient("L").convert("RGB").resize((80, 60)).save(path)
    return path


@pytest.fixture
async def far(monkeypatch):
    """Another host; all that is for it arrives here."""
    server = ChatServer({f"{FAR}/v1/models": models("m", owned_by="vllm", max_model_len=4096)})
    server.replies[f"{FAR}/v1/chat/completions"] = answer("I am far away.")
    await server.start()
    monkeypatch.setenv("http_proxy", server.url)
    paths.config_file().parent.mkdir(parents=True, exist_ok=True)
    paths.config_file().write_text(f'[engines.cluster]\nurl = "{FAR}"\nmodel = "m"\n')
    yield server
    await server.stop()


@contextlib.asynccontextmanager
async def chatting(model, images=(), **more):
    settings = Settings()
    engine = make_engine(settings, "script.toml", asks=True)
    app = Glm4vApp(Launch(engine, model, images=tuple(images), settings=settings, **more))
    async with app.run_test(size=(120, 40)) as pilot:
        user = User(app, pilot)
        await user.until(lambda: app.query(SideBar))
        await user.sees("ready")
        yield user


async def test_the_lamp_says_where_is_asked_and_the_chooser_changes_it(far):
    async with chatting(LoadModel("script")) as user:
        await user.sees("● local")
        await user.ask("Where?")
        await user.sees("I am at home.")
        await user.press("f4")
        await user.until(lambda: isinstance(user.app.screen, ModelScreen))
        await user.press(*"cluster")
        await user.sees("cluster: m at gpu.example", "server", "Asked over the network")
        await user.press("enter")
        await user.sees("● gpu.example", "m  ·  vLLM · gpu.example", "ready")
        await user.ask("And now?")
        await user.sees("I am far away.", "context")
        await user.press("f10")
        await user.sees("● local", "ready")
        assert len(far.questions) == 1


async def test_tokens_that_nobody_counts_are_left_out(far):
    path = f"{FAR}/v1/chat/completions"
    async with chatting(LoadModel("m", engine="cluster")) as user:
        await user.ask("Who counts?")
        await user.sees("7 in · 3 out", "context 10/4.1k")
        far.replies[path] = Stream(chunk("Not "), chunk("me.", "stop"), DONE)
        await user.send("And now?")
        await user.sees("Not me.", "first token")
        await user.misses("context ")
        far.replies[path] = Stream(chunk("One"), 60)
        await user.send("Go on")
        await user.until(lambda: user.last.state is TurnState.ANSWERING)
        await user.press("escape")
        await user.until(lambda: user.last.state is TurnState.STOPPED)
        await user.sees("stopped")
        assert re.search(r"▌  stopped +│", user.screen)
        assert user.screen.count(" out") == 1
        far.replies[path] = answer("Counted again.")
        await user.ask("Once more")
        await user.sees("context 10/4.1k")


async def test_the_first_image_for_a_host_waits_for_a_key(far, cat):
    async with chatting(LoadModel("m", engine="cluster"), [cat]) as user:
        await user.sees("cat.png")
        await user.send("What is it?")
        await user.sees(
            "Send 1 image to gpu.example?", "pixels (80×60)", "Not encrypted", "F12 sends"
        )
        assert far.questions == []
        await user.press(*"yes please")  # letters are for the composer
        assert far.questions == []
        await user.press("f12")
        await user.until(lambda: user.last.state is TurnState.DONE)
        await user.misses("Send 1 image")
        await user.sees("I am far away.")
        (sent,) = Sent(Database()).all()
        assert (sent.host, sent.width, sent.height) == ("gpu.example", 80, 60)
        assert sent.source == user.last.question.attachments[0].digest


async def test_esc_keeps_it_here(far, cat):
    async with chatting(LoadModel("m", engine="cluster"), [cat]) as user:
        await user.sees("cat.png")
        await user.send("What is it?")
        await user.sees("Send 1 image")
        await user.press("escape")
        await user.until(lambda: user.last.state is TurnState.STOPPED)
        await user.misses("Send 1 image")
        await user.press("f12")
        assert far.questions == []
        assert Sent(Database()).all() == []


async def test_what_waits_behind_a_server_that_went_down_is_asked_when_it_is_back(far):
    path = f"{FAR}/v1/chat/completions"
    async with chatting(LoadModel("m", engine="cluster")) as user:
        await user.ask("One?")
        remote = user.session.engine._engines["cluster"]
        remote._backoff_s = remote._watch_s = 0.01
        back, far.replies[path] = far.replies[path], Drop()
        far.replies[f"{FAR}/v1/models"], listed = Drop(), far.replies[f"{FAR}/v1/models"]
        await far.stop()
        await user.send("Two?")
        await user.send("Three?")
        await user.until(lambda: user.session.turns[1].state is TurnState.FAILED)
        await user.sees("cannot be reached", "the server is not there")
        assert user.last.state is TurnState.QUEUED
        far.replies |= {path: back, f"{FAR}/v1/models": listed}
        await far.start(port=far.port)
        await user.until(lambda: user.last.state is TurnState.DONE)
        await user.sees("I am far away.", "ready")


async def test_f8_says_that_there_is_nothing_to_free(far):
    async with chatting(LoadModel("m", engine="cluster")) as user:
        await user.press("f8")
        await user.sees("The model runs at gpu.example")


async def test_a_task_is_asked_at_its_own_engine_and_the_lamp_says_so(far, cat):
    settings = paths.config_file()
    settings.write_text(f'{settings.read_text()}tasks = ["sort"]\nsend_images = "allow"\n')
    (settings.parent / "tasks").mkdir()
    (settings.parent / "tasks" / "sort.toml").write_text(TASK)
    far.replies[f"{FAR}/v1/chat/completions"] = answer('{"kind": "b"}')
    tasks = {"place_of": place_of_task, "load_plugins": lambda: plugins_of(Settings())}
    async with chatting(LoadModel("script"), [cat], **tasks) as user:
        await user.sees("● local", "cat.png")
        await user.write("/sort")
        await user.press("enter")
        await user.sees("● gpu.example", "an engine of its own", "F10 returns to script")
        await user.until(lambda: user.last.state is TurnState.DONE)
        assert len(far.questions) == 1
        await user.press("f10")
        await user.sees("● local", "ready")
        await user.ask("Where?")
        await user.sees("I am at home.")


@pytest.mark.parametrize(("is_elsewhere", "expected"), [(True, "● gpu.example"), (False, "")])
def test_a_review_has_the_lamp_as_well(is_elsewhere, expected):
    info = ModelInfo(
        *("m", "vllm", "vLLM", "gpu.example", 0, 0, None, 0.0),
        host="gpu.example",
        is_elsewhere=is_elsewhere,
    )
    session = SimpleNamespace(model_state=ModelState.READY, model=info)
    assert model_words(session)[0] == expected
