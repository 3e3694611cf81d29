"""The embedded model behind ``transformers serve``: the same answers as in this program's process.

Skipped where that server's own requirements (``transformers[serving]``) are not installed.
"""

import asyncio
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing, suppress

import pytest
from PIL import Image

from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.engine.local import LocalEngine
from glm4v_tui.engine.protocol import (
    Failed,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    LoadModel,
    ResultForm,
    RgbImage,
    Sampling,
    Score,
    Scored,
    TextDelta,
)
from glm4v_tui.engine.remote.engine import RemoteEngine
from glm4v_tui.engine_settings import RemoteSettings

SAMPLES = CHECKPOINT.parent / "samples"
QUESTION = "What defect is there, and where?"
GREEDY = Sampling(max_new_tokens=120, temperature=0.0)
FORM = ResultForm('{"type": "object", "required": ["grade"]}')

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("fastapi", "uvicorn", "openai")),
    reason="transformers[serving] is not installed",
)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("serve") / "log").open("w+")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "transformers.cli.transformers", "serve", str(CHECKPOINT)),
            *("--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"),
        ],
        stdout=log,
        stderr=log,
        start_new_session=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/health", process, log)
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


def _wait_for(address, process, log):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            opener.open(address, timeout=2).close()
            return
        time.sleep(0.1)
    log.seek(0)
    raise AssertionError(f"the server did not start:\n{log.read()[-2000:]}")


class Talk:
    """Asks one engine and hears its ends."""

    def __init__(self, engine):
        self.engine, self.events, self.text = engine, engine.events(), ""

    async def until(self, *kinds):
        async with asyncio.timeout(90):
            async for event in self.events:
                if isinstance(event, TextDelta):
                    self.text += event.text
                if isinstance(event, kinds):
                    return event
        raise AssertionError("the engine has ended")

    async def load(self):
        await self.engine.load(LoadModel(str(CHECKPOINT), device="cpu"))
        loaded = await self.until(Loaded, Failed)
        assert isinstance(loaded, Loaded), loaded
        return loaded.model

    async def messages(self, text, *names):
        shown = []
        for name in names:
            picture = Image.open(SAMPLES / name).convert("RGB")
            pixels = RgbImage(*picture.size, picture.tobytes())
            await self.engine.put_image(name, pixels)
            shown.append(Attachment("", name, *picture.size))
        return (Message(Role.USER, text, tuple(shown)),)

    async def ask(self, messages, sampling=GREEDY, form=None):
        self.text = ""
        await self.engine.generate(Generate("1", messages, sampling, form))
        return await self.until(Finished, Failed)


def remote(url):
    settings = RemoteSettings(url, str(CHECKPOINT), timeout=60.0)
    return Talk(RemoteEngine("serve", settings, lambda: None))


async def test_the_same_question_has_the_same_greedy_answer_here_and_there(url):
    there, here = remote(url), Talk(LocalEngine())
    told = await there.load()
    await here.load()
    asked = [
        (QUESTION, ["part-tile-1.png"]),
        ("Describe the image.", ["part-gear.png"]),
        ("What differs between the images?", ["part-tile-1.png", "part-washer.png"]),
    ]
    for text, names in asked:
        far = await there.ask(await there.messages(text, *names))
        near = await here.ask(await here.messages(text, *names))
        assert there.text
        assert there.text == here.text
        assert far.reason is near.reason is FinishReason.STOP
        # both count the tokens of the prompt, those of the images among them
        assert far.usage.prompt_tokens == near.usage.prompt_tokens
    assert told.model_type == "transformers"
    await there.engine.close()
    await here.engine.close()


async def test_it_streams_and_an_abort_ends_it(url):
    there = remote(url)
    await there.load()
    messages = await there.messages("Describe the image.", "part-gear.png")
    await there.engine.generate(Generate("1", messages, GREEDY))
    await there.until(TextDelta)
    await there.engine.abort("1")
    end = await there.until(Finished, Failed)
    assert end.reason is FinishReason.ABORT
    begun = there.text
    await there.ask(messages)  # the server goes on with the next question
    assert there.text.startswith(begun)
    assert len(there.text) > len(begun)
    await there.engine.close()


async def test_a_limit_and_a_form_and_labels(url):
    """The server binds nothing and tells no probabilities: results are checked here, labels are
    unknown."""
    there = remote(url)
    await there.load()
    messages = await there.messages(QUESTION, "part-tile-1.png")
    end = await there.ask(messages, Sampling(max_new_tokens=3, temperature=0.0))
    assert end.reason is FinishReason.LENGTH
    end = await there.ask(messages, form=FORM)
    assert isinstance(end, Finished)
    assert there.text.startswith("There is")  # words: in no form, and not mended by this model
    await there.engine.score(Score("2", messages, ("Yes", "No")))
    assert (await there.until(Scored, Failed)).log_likelihoods == ()
    await there.engine.close()
