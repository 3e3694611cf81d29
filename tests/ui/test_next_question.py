"""The forecast of the next question, on the screen and beside the plan's numbers."""

import re

import pytest
from PIL import Image

from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.engine.protocol import MemoryReading, ModelInfo
from glm4v_tui.gpu import HostMemory
from glm4v_tui.plan import PRECISIONS, Load, known_shape, question_bytes
from glm4v_tui.plan.memory import Room, plan_for
from glm4v_tui.ui import next_question
from glm4v_tui.ui.bridge import MemoryRead
from glm4v_tui.ui.next_question import NextQuestion
from glm4v_tui.ui.widgets import gauge
from tests.chat_user import chatting, quick

GIB = 1 << 30
GLM_41V = known_shape("zai-org/GLM-4.1V-9B-Thinking")
MODEL = ModelInfo("x", "glm4v", "fp32", "cpu", 1, 4, 4096, 1.0)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
def test_it_is_what_the_plan_adds_to_the_weights(precision):
    load = Load(((1120, 1120),), context=1674 + 128, prompt=1674)
    plan = plan_for(GLM_41V, PRECISIONS[precision], Room(80 * GIB), load)
    added = question_bytes(GLM_41V, precision, prompt=1674, answer=128, seen=[(1120, 1120)])
    assert added == plan.peak - plan.resident - plan.workspace


def test_more_images_and_longer_prompts_need_more():
    def needs(prompt, images):
        seen = [(1120, 1120)] * images
        return question_bytes(GLM_41V, "bf16", prompt=prompt, answer=1, seen=seen)

    assert needs(1700, 0) < needs(1700, 1) < needs(3400, 2) < needs(9000, 2)


async def test_the_shape_of_the_loaded_model_is_learned():
    question = NextQuestion()
    assert question.needs(MODEL, 100, "", 10, []) is None
    await question.learn(str(CHECKPOINT))
    short = question.needs(MODEL, 100, "", 10, [])
    assert short is not None
    assert question.needs(MODEL, 100, "why? " * 1000, 10, []) > short
    await question.learn("owner-less name")
    assert question.needs(MODEL, 100, "", 10, []) is None


def forecast(user):
    """What the side bar says that the next question needs, in GiB."""
    found = re.search(r"next question needs +([\d.]+)", user.screen)
    return found and found[1]


async def test_an_image_raises_the_forecast_and_a_full_memory_is_warned_of(tmp_path, monkeypatch):
    """The memory has 0.1 GiB: enough for words, not for a large image."""
    monkeypatch.setattr(next_question, "_shape_named", lambda _: GLM_41V)
    monkeypatch.setattr(gauge, "read_host", lambda: HostMemory(8 * GIB, int(0.1 * GIB)))
    monkeypatch.setattr(gauge, "_PERIOD_S", 0.05)
    picture = tmp_path / "large.png"
    Image.new("RGB", (1120, 1120), "red").save(picture)
    async with chatting(quick("Yes."), size=(140, 40)) as user:
        user.app.screen.post_message(MemoryRead(MemoryReading(GIB, weights=GIB)))
        await user.until(lambda: forecast(user) == "0.0")
        assert "may not fit" not in user.screen
        user.paste(str(picture))
        await user.until(lambda: forecast(user) == "0.2")
        await user.sees("may not fit the memory", "0.1 GiB are free")
        await user.sees("next 0.2, free 0.1")
        await user.press("backspace")
        await user.until(lambda: forecast(user) == "0.0")
        await user.misses("next 0.2, free 0.1")
