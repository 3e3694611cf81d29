"""The embedded model behind llama.cpp's server: the same answers as in this program's process.

Its two files are written from the checkpoint first. Skipped where the packages that write them
(``gguf``) and bring the server (``xllamacpp``) are not installed.
"""

import asyncio
import importlib.util
import json
import sys
import urllib.request
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest

from glm4v_tui.chat import Message, Role
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
    Sampling,
    Score,
    Scored,
    TextDelta,
)
from glm4v_tui.engine.remote.engine import RemoteEngine
from glm4v_tui.engine_settings import RemoteSettings
from tests.serving import free_port, running, serving
from tests.talk import GREEDY, Talk

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("xllamacpp", "gguf")),
    reason="xllamacpp and gguf, of the extra test, are not installed",
)

SERVER = Path(__file__).parents[1] / "llama_server.py"
QUESTION = "What defect is there, and where?"
CONTEXT, SHORT = 4096, 512
BACKOFF_S = 30.0
"""So long that a test sees whether something is asked again."""
GRADE = ResultForm(
    '{"type": "object", "properties": {"grade": {"enum": ["pass", "fail"]}}, '
    '"required": ["grade"], "additionalProperties": false}'
)
ENDLESS = ResultForm('{"type": "array", "items": {"const": "gear"}, "minItems": 900}')
"""An answer of thousands of tokens, which takes seconds."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    from tests.embedded_gguf import MAX_TOKENS, MIN_TOKENS, write_gguf

    model, images = write_gguf(CHECKPOINT, tmp_path_factory.mktemp("gguf"))
    limits = {"image_min_tokens": MIN_TOKENS, "image_max_tokens": MAX_TOKENS}
    return {"model": str(model), "images": str(images), **limits}


def command(port, **parameters):
    return [sys.executable, str(SERVER), json.dumps({"port": port, **parameters})]


@contextmanager
def served(folder, **parameters):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with serving(command(port, **parameters), f"{url}/health", folder / "log"):
        yield url


@pytest.fixture(scope="module")
def url(files, tmp_path_factory):
    """A server of two questions at a time, whose model has two names."""
    folder = tmp_path_factory.mktemp("serve")
    more = {"model_alias": ["demo", "glm4v-demo"], "n_ctx": 2 * CONTEXT, "n_parallel": 2}
    with served(folder, **files, **more) as address:
        yield address


@pytest.fixture(scope="module")
def strict(files, tmp_path_factory):
    """A server that sees nothing, thinks first, has little room and wants a key."""
    template = (CHECKPOINT / "chat_template.jinja").read_text()
    opened = template.replace(
        "<|assistant|>\n{% endif %}",
        "<|assistant|>\n<think>{% if enable_thinking is false %}</think>{% endif %}{% endif %}",
    )
    assert opened != template
    more = {"chat_template": opened, "n_ctx": SHORT, "api_keys": ["open sesame"]}
    folder = tmp_path_factory.mktemp("strict")
    with served(folder, model=files["model"], model_alias=["demo"], **more) as address:
        yield address


def remote(url, **more):
    settings = RemoteSettings(url, **{"model": "glm4v-demo", "timeout": 60.0, **more})
    engine = RemoteEngine("serve", settings, lambda: None, watch_s=0.05, backoff_s=BACKOFF_S)
    return Talk(engine)


@pytest.fixture
def keyed(monkeypatch, strict):
    monkeypatch.setenv("LLAMA_KEY", "open sesame")
    return remote(strict, model="demo", api_key_env="LLAMA_KEY")


async def test_the_same_question_has_the_same_greedy_answer_here_and_there(url):
    there, here = remote(url), Talk(LocalEngine())
    told = await there.load()
    await here.load()
    said = (
        "There is a hole at the middle left. " + "Look at it once more and say what you see. " * 8
    )
    harsh = Sampling(max_new_tokens=120, temperature=0.0, repetition_penalty=2.0)
    asked = [
        (QUESTION, ["part-tile-1.png"], GREEDY),
        ("Describe the image.", ["shapes-1.png"], GREEDY),
        ("What differs between the images?", ["part-tile-1.png", "part-washer.png"], GREEDY),
        ("It's a fine day, isn't it? ÄÖ 中文 123-45.", [], GREEDY),
        # the words that are not to come again lie more than 64 tokens back
        (f"{said}Describe the image.", ["part-tile-1.png"], harsh),
    ]
    for text, names, sampling in asked:
        far = await there.ask(await there.messages(text, *names), sampling)
        near = await here.ask(await here.messages(text, *names), sampling)
        assert there.text
        assert there.text == here.text
        assert far.reason is near.reason is FinishReason.STOP
        # both count alike, with the tokens of the images among those of the prompt
        assert far.usage.prompt_tokens == near.usage.prompt_tokens
        assert far.usage.completion_tokens == near.usage.completion_tokens
    assert (told.model_type, told.context_length) == ("llama.cpp", CONTEXT)
    await there.engine.close()
    await here.engine.close()


async def test_a_dialogue_labels_and_a_result_are_the_same_here_and_there(url):
    there, here = remote(url), Talk(LocalEngine())
    heard = []
    for talk in (there, here):
        await talk.load()
        (first,) = await talk.messages(
            "Is there a nodule? Answer yes or no.", "chest-phantom-1.png"
        )
        await talk.engine.score(Score("2", (first,), ("Yes", "No")))
        scored = await talk.until(Scored, Failed)
        dialogue = (
            Message(Role.SYSTEM, "Answer in one sentence."),
            first,
            Message(Role.ASSISTANT, "Yes"),
            Message(Role.USER, "Describe the image."),
        )
        await talk.ask(dialogue)
        said = talk.text
        await talk.ask(await talk.messages(QUESTION, "part-tile-1.png"), form=GRADE)
        heard.append((said, json.loads(talk.text), scored))
        await talk.engine.close()
    assert heard[0][:2] == heard[1][:2]
    assert heard[0][1] == {"grade": "fail"}
    assert heard[0][2].log_likelihoods == pytest.approx(heard[1][2].log_likelihoods, abs=1e-3)


def is_busy(url):
    slots = json.loads(urllib.request.urlopen(f"{url}/slots", timeout=5).read())
    return any(one["is_processing"] for one in slots)


async def test_it_streams_and_an_abort_ends_it_at_the_server_too(url):
    there = remote(url)
    await there.load()
    messages = await there.messages("Describe the image.", "part-gear.png")
    endless = Sampling(max_new_tokens=3000, temperature=0.0)
    await there.engine.generate(Generate("1", messages, endless, ENDLESS))
    await there.until(TextDelta)
    await there.until(TextDelta)
    assert await asyncio.to_thread(is_busy, url)
    await there.engine.abort("1")
    end = await there.until(Finished, Failed)
    assert end.reason is FinishReason.ABORT
    assert there.text.startswith("[")
    async with asyncio.timeout(2):
        while await asyncio.to_thread(is_busy, url):
            await asyncio.sleep(0.02)
    end = await there.ask(messages, Sampling(max_new_tokens=3, temperature=0.0))
    assert (end.reason, end.usage.completion_tokens) == (FinishReason.LENGTH, 3)
    assert end.timing.first_token_s > 0
    await there.engine.close()


async def test_questions_at_a_time_get_their_own_answers(url):
    """More than the server answers at a time: the others wait there."""
    there = remote(url, max_in_flight=8)
    await there.load()
    names = [f"{kind}.png" for kind in ("part-gear", "part-washer", "part-tile-1", "product-box")]
    alone, texts, ends = {}, {}, 0
    for name in names:
        await there.ask(await there.messages("Describe the image.", name))
        alone[name] = there.text
    assert len(set(alone.values())) == len(names)
    for name in names * 2:
        number = f"{name} {len(texts)}"
        texts[number] = ""
        messages = await there.messages("Describe the image.", name)
        await there.engine.generate(Generate(number, messages, GREEDY))
    async with asyncio.timeout(60), aclosing(there.engine.events()) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                texts[event.request_id] += event.text
            ends += isinstance(event, Finished)
            if ends == len(texts):
                break
    assert texts == {number: alone[number.split()[0]] for number in texts}
    await there.engine.close()


async def test_a_model_that_it_does_not_list_is_refused_before_it_is_asked(url):
    """It would answer whatever the question named."""
    there = remote(url, model="glm-4.6v")
    await there.engine.load(LoadModel("", engine="serve"))
    failed = await there.until(Loaded, Failed)
    assert "does not have the model glm-4.6v" in failed.title
    assert "demo" in failed.body
    await there.engine.close()


async def test_a_server_that_is_starting_is_waited_for(files, tmp_path):
    """Nobody listens at first; then it answers 503 while it loads."""
    port = free_port()
    there = remote(f"http://127.0.0.1:{port}")
    await there.engine.load(LoadModel("", engine="serve"))
    assert "cannot be reached" in (await there.until(Loaded, Failed)).title
    with running(command(port, model_alias=["glm4v-demo"], **files), tmp_path / "log"):
        assert isinstance(await there.until(Loaded, Failed), Loaded)
        end = await there.ask(await there.messages(QUESTION, "part-tile-1.png"))
        assert (end.reason, there.text) == (
            FinishReason.STOP,
            "There is a hole at the middle left.",
        )
    await there.engine.close()


async def test_its_thought_and_its_answer_are_told_apart(keyed):
    await keyed.load()
    messages = await keyed.messages("Describe the image.")
    end = await keyed.ask(messages)
    assert keyed.text.startswith("<think>")
    assert end.usage.completion_tokens > 1
    # asked for labels it does not think, as the template that it has leaves that out when asked
    await keyed.engine.score(Score("2", messages, ("I", "The")))
    scored = await keyed.until(Scored, Failed)
    assert len(scored.log_likelihoods) == 2
    # nor for a result, unless room for reasoning is given
    await keyed.ask(messages, form=GRADE)
    assert json.loads(keyed.text)["grade"] in ("pass", "fail")
    await keyed.ask(messages, form=ResultForm(GRADE.schema, reasoning_tokens=50))
    assert keyed.text.startswith("<think>")
    await keyed.engine.close()


async def test_what_it_refuses_is_said_with_a_remedy_and_not_asked_again(keyed, strict):
    await keyed.load()
    asked = [
        (await keyed.messages(QUESTION, "part-tile-1.png"), "image input is not supported"),
        (await keyed.messages("word " * 1000), f"the available context size ({SHORT} tokens)"),
    ]
    for messages, reason in asked:
        async with asyncio.timeout(BACKOFF_S / 2):
            failed = await keyed.ask(messages)
        assert isinstance(failed, Failed)
        assert "does not take the question" in failed.title
        assert reason in failed.body
        assert "fits its context" in failed.remedy
    await keyed.engine.close()
    there = remote(strict, model="demo")
    await there.engine.load(LoadModel("", engine="serve"))
    failed = await there.until(Loaded, Failed)
    assert "does not accept the key (401)" in failed.title
    assert failed.body == "Invalid API Key"
    await there.engine.close()


async def test_a_context_that_is_full_ends_the_answer_as_too_long(keyed):
    await keyed.load()
    messages = await keyed.messages("Hello")
    end = await keyed.ask(messages, Sampling(max_new_tokens=3000, temperature=0.0), ENDLESS)
    assert end.reason is FinishReason.LENGTH
    assert end.usage.prompt_tokens + end.usage.completion_tokens == SHORT
    await keyed.engine.close()
