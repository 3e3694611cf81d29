"""Choosing a model, in a bare app."""

import asyncio
import threading
import time

import pytest
from textual.app import App
from textual.widgets import Input

from glm4v_tui import hub as hub_room
from glm4v_tui.config import ModelSettings
from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.models import Machine, gathering
from glm4v_tui.plan import Gpu
from glm4v_tui.ui.middle_cut import cut_in_middle
from glm4v_tui.ui.screens import model as module
from glm4v_tui.ui.screens.model import ModelScreen
from glm4v_tui.ui.themes import load_themes
from tests.unit.test_models import write_cached, write_model

OPEN = object()
GIB = 1 << 30
EMBEDDED = str(CHECKPOINT)
GLM_4V = "zai-org/glm-4v-9b"


class Host(App):
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-tall")]

    def __init__(self, now=None):
        super().__init__()
        self.now, self.result = now, OPEN

    def on_mount(self):
        screen = ModelScreen(self.now, ModelSettings())
        self.push_screen(screen, lambda result: setattr(self, "result", result))

    @property
    def text(self):
        strips = self.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)


class Chooser:
    """Presses keys and waits for what is read meanwhile."""

    def __init__(self, app, pilot):
        self.app, self.pilot = app, pilot

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, holds):
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0.005)
        await self.pilot.pause()

    async def sees(self, *words):
        await self.until(lambda: all(word in self.app.text for word in words))

    async def hears(self, *words):
        """In the lines below the precisions, wherever those are wrapped."""
        note = self.app.screen._note
        await self.until(lambda: all(word in note.plain for word in words))

    async def ends(self):
        await self.until(lambda: self.app.result is not OPEN)
        return self.app.result

    @property
    def command(self):
        return self.app.result.command


def choosing(now=None, size=(100, 30)):
    class Run:
        async def __aenter__(self):
            app = Host(now)
            self.run = app.run_test(size=size)
            chooser = Chooser(app, await self.run.__aenter__())
            await chooser.until(lambda: app.screen._is_gathered.is_set())
            await chooser.until(lambda: app.screen._unseen is None)
            return chooser

        async def __aexit__(self, *failure):
            await self.run.__aexit__(*failure)

    return Run()


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub_room, "look_ahead", lambda *_: None)  # it has whatever is asked for
    return tmp_path / "hub"


@pytest.fixture(autouse=True)
def card(monkeypatch):
    """A GPU with 24 GiB free; no test sees the machine it runs on."""
    there = Machine((Gpu(0, 24 * GIB, 3350e9),), "NVIDIA H100", 64 * GIB, 3 * GIB)
    monkeypatch.setattr(gathering, "read_machine", lambda _held: there)
    monkeypatch.setattr(module, "read_machine", lambda _held: there)


# The list ---------------------------------------------------------------------------------------


async def test_all_models_stand_there_with_what_they_are(hub):
    write_cached(hub, "owner/one")
    (hub / "models--owner--begun").mkdir()
    async with choosing(LoadModel(EMBEDDED)) as user:
        lines = {line.split()[1]: line for line in user.app.text.splitlines() if "│" in line[:9]}
        await user.sees("owner/one", "not downloaded  27.8 GB", "the embedded model")
        assert "in use" in next(line for line in lines.values() if "embedded" in line)
        begun = next(line for line in user.app.text.splitlines() if "owner/begun" in line)
        assert "incomplete" in begun


async def test_the_line_has_the_focus_and_filters():
    async with choosing() as user:
        assert isinstance(user.app.focused, Input)
        await user.press(*"flash")
        assert "GLM-4.6V-Flash" in user.app.text
        assert "glm-4v-9b" not in user.app.text


async def test_enter_loads_the_model_in_use_as_it_is():
    now = LoadModel(EMBEDDED, "fp32", "cpu")
    async with choosing(now) as user:
        await user.press("enter")
        assert (await user.ends()).command == now


async def test_a_hub_id_is_taken_as_it_is_written():
    async with choosing() as user:
        await user.press(*"a/b", "enter")
        chosen = await user.ends()
        assert chosen.command == LoadModel("a/b", "auto", "auto")
        assert chosen.look.needs_download


async def test_a_folder_is_told_absolutely(tmp_path, monkeypatch):
    # What a folder lacks for loading is told before: see the next test. Here it lacks nothing.
    monkeypatch.setattr(module, "require_loadable", lambda _look: None)
    write_model(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    async with choosing() as user:
        await user.press(*"./mine", "enter")
        assert (await user.ends()).command.model == str(tmp_path / "mine")


@pytest.mark.parametrize("typed", ["/no/such", "nothing", ""])
async def test_what_cannot_be_loaded_leaves_it_open(typed, tmp_path):
    write_model(tmp_path / "broken")  # no tokenizer
    async with choosing() as user:
        await user.press(*(typed or str(tmp_path / "broken")), "enter")
        await user.until(lambda: user.app.screen._note.has_class("-problem"))
        assert user.app.result is OPEN


async def test_whoever_moves_on_while_the_hub_is_asked_does_not_get_it(monkeypatch):
    asked, answered = threading.Event(), threading.Event()

    def answers_late(*_):
        asked.set()
        answered.wait(10)

    monkeypatch.setattr(hub_room, "look_ahead", answers_late)
    async with choosing() as user:
        await user.press(*"a/b", "enter")
        await user.hears("Asking the hub for a/b")
        await user.until(asked.is_set)
        await user.press("c")
        answered.set()
        await user.until(lambda: not any(work.group == "choose" for work in user.app.workers))
        assert user.app.result is OPEN


@pytest.mark.parametrize("key", ["escape", "f4"])
async def test_escape_chooses_nothing(key):
    async with choosing() as user:
        await user.press(*"a/b", key)
        assert await user.ends() is None


async def test_a_burst_of_keys_is_taken_in_its_order():
    async with choosing() as user:
        for key in (*"a/b", "enter"):
            user.app._driver.send_message(_key(user.app, key))
        assert (await user.ends()).command.model == "a/b"


def _key(app, key):
    from textual.events import Key

    event = Key("slash" if key == "/" else key, key if len(key) == 1 else None)
    event.set_sender(app)
    return event


# Precisions -------------------------------------------------------------------------------------


async def test_every_precision_says_what_it_takes_and_one_is_recommended():
    async with choosing() as user:
        await user.press(*"glm-4v-9b")
        await user.sees("auto: int8")
        lines = [line.strip(" │") for line in user.app.text.splitlines()]
        (int8,) = [line for line in lines if line.startswith("int8 ")]
        assert int8.split()[:2] == ["int8", "13.6"]
        assert int8.endswith("fits ★")
        (bf16,) = [line for line in lines if line.startswith("bf16 ")]
        assert bf16.endswith("fits")  # when its tower's layers are fetched for each image
        (fp32,) = [line for line in lines if line.startswith("fp32 ")]
        assert fp32.endswith("does not fit")
        assert "24.0 GiB free on NVIDIA H100, 3.0 of it the present model's" in user.app.text


async def test_the_arrows_choose_a_precision_for_each_model():
    async with choosing() as user:
        await user.press(*"zai", "left", "down", "right", "up", "enter")
        chosen = (await user.ends()).command
        assert (chosen.model, chosen.precision) == (GLM_4V, "int4-compact")


async def test_the_users_own_precisions_are_among_them(tmp_path):
    (tmp_path / "home" / "config").mkdir(parents=True)
    (tmp_path / "home/config/config.toml").write_text('[precisions.mine]\nlanguage = "int8"\n')
    async with choosing() as user:
        await user.sees("mine")
        await user.press(*"flash", "left", "enter")
        assert (await user.ends()).command.precision == "mine"


async def test_what_does_not_fit_needs_the_key_twice():
    async with choosing() as user:
        await user.press(*"glm-4v-9b", "right", "enter")
        await user.hears("fp32 needs", "24.0 GiB are free", "Enter again loads it")
        assert user.app.result is OPEN
        await user.press("enter")
        assert (await user.ends()).command.precision == "fp32"


async def test_the_second_key_is_for_what_was_warned_of():
    async with choosing() as user:
        await user.press(*"glm-4v-9b", "right", "enter")
        await user.hears("Enter again loads it")
        await user.press("right", "enter")
        assert (await user.ends()).command.precision == "bf16"


async def test_the_device_is_changed_by_a_key():
    async with choosing() as user:
        await user.press(*"flash")
        await user.sees("device auto: 24.0 GiB free on NVIDIA H100")
        await user.press("tab", "tab")
        await user.sees("device cpu: no GPU in use, 64.0 GiB")
        await user.press("enter")
        assert (await user.ends()).command.device == "cpu"


# What it looks like -----------------------------------------------------------------------------

_LONG = "owner/" + "long-" * 30 + "8B"


@pytest.mark.parametrize("size", [(110, 34), (80, 24), (60, 20), (40, 10)])
async def test_no_line_is_broken_at_any_size(hub, size):
    write_cached(hub, _LONG)
    async with choosing(LoadModel(_LONG), size) as user:
        await user.sees("…", "in use")
        lines = user.app.text.splitlines()
        frame = [line for line in lines if line.strip()]
        left, right = frame[0].index("╭"), frame[0].rindex("╮")
        assert all((line[left], line[right]) in {("│", "│"), ("╭", "╮"), ("╰", "╯")}
                   for line in frame)  # fmt: skip
        assert "-8B" in user.app.text
        assert "auto" in user.app.text
        assert "Enter loads" in frame[-1]


async def test_names_with_escape_sequences_or_wide_letters_are_harmless(tmp_path):
    name = "\x1b[31m红色的模型\u202e" * 6
    folder = write_model(tmp_path / name)
    async with choosing(LoadModel(str(folder)), (60, 20)) as user:
        await user.sees("红色", "…", "in use")
        assert "\x1b" not in user.app.text
        assert "\u202e" not in user.app.text
        strips = user.app.screen._compositor.render_strips()
        assert {strip.cell_length for strip in strips} == {60}


def test_a_name_is_cut_in_its_middle_and_never_through_a_wide_letter():
    assert cut_in_middle("abcdef", 6) == "abcdef"
    assert cut_in_middle("abcdefgh", 5) == "ab…gh"
    assert [cut_in_middle("红色的模型", room) for room in (0, 1, 2, 6)] == [
        *("", "…", " …"),
        "红 …型",
    ]


@pytest.mark.parametrize("theme", [theme.name for theme in load_themes().good])
async def test_every_theme_draws_it(theme):
    async with choosing(LoadModel(EMBEDDED)) as user:
        user.app.register_theme(next(one for one in load_themes().good if one.name == theme))
        user.app.theme = theme
        await user.pilot.pause()
        await user.sees("the embedded model", "★ recommended")


# Slow disks and large caches --------------------------------------------------------------------


async def test_a_cache_that_does_not_answer_holds_up_no_key(monkeypatch):
    def hangs():
        time.sleep(30)

    monkeypatch.setattr(gathering, "cached_models", hangs)
    monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    app = Host()
    async with app.run_test(size=(100, 30)) as pilot:
        user = Chooser(app, pilot)
        await user.sees("the embedded model", "GLM-4.6V-Flash")
        await user.press(*"a/b", "enter")
        assert (await user.ends()).command.model == "a/b"
