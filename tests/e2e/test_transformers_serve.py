"""The embedded model behind ``transformers serve``: the same answers as in this program's process.

Skipped where that server's own requirements (``transformers[serving]``) are not installed.
"""

import importlib.util
import sys

import pytest

from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.engine.local import LocalEngine
from glm4v_tui.engine.protocol import (
    Failed,
    Finished,
    FinishReason,
    Generate,
    ResultForm,
    Sampling,
    Score,
    Scored,
    TextDelta,
)
from glm4v_tui.engine.remote.engine import RemoteEngine
from glm4v_tui.engine_settings import RemoteSettings
from tests.serving import free_port, serving
from tests.talk import GREEDY, Talk

QUESTION = "What defect is there, and where?"
FORM = ResultForm('{"type": "object", "required": ["grade"]}')

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("fastapi", "uvicorn", "openai")),
    reason="transformers[serving] is not installed",
)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    port = free_port()
    command = [
        *(sys.executable, "-m", "transformers.cli.transformers", "serve", str(CHECKPOINT)),
        *("--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"),
    ]
    address = f"http://127.0.0.1:{port}"
    with serving(command, f"{address}/health", tmp_path_factory.mktemp("serve") / "log"):
        yield address


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
