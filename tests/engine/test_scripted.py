"""The scripted engine keeps the promises of the protocol."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.engine.protocol import (
    Failed,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    Loading,
    LoadModel,
    Measured,
    RgbImage,
    TextDelta,
)
from glm4v_tui.engine.scripted import Script, ScriptedAnswer, ScriptedEngine, read_script
from glm4v_tui.errors import SettingsError

QUICK = ScriptedAnswer("It is a cat.", tokens_per_s=1e6)
SLOW = ScriptedAnswer("one two three four five six seven eight nine ten", tokens_per_s=20)
FAILING = ScriptedAnswer("It is", tokens_per_s=1e6, fail="Out of memory")


def request(request_id="r", *attachments):
    return Generate(request_id, (Message(Role.USER, "What is it?", attachments),))


@asynccontextmanager
async def playing(*answers, **script):
    """An engine, and the list that its events go to."""
    engine, heard = ScriptedEngine(Script(answers, **script)), []

    async def listen():
        async for event in engine.events():
            heard.append(event)  # noqa: PERF401 - to be seen while it grows

    listening = asyncio.create_task(listen())
    yield engine, heard
    await engine.close()
    await asyncio.wait_for(listening, 5)


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


def ends(heard):
    return [event for event in heard if isinstance(event, Finished | Failed)]


def text(heard, request_id="r"):
    deltas = (event for event in heard if isinstance(event, TextDelta))
    return "".join(delta.text for delta in deltas if delta.request_id == request_id)


async def test_an_answer_is_its_text_and_one_end():
    async with playing(QUICK) as (engine, heard):
        await engine.generate(request("r", Attachment("/cat.png", "aa", 2, 1)))
        await until(lambda: ends(heard))
    (finished,) = ends(heard)
    assert (finished.request_id, finished.reason) == ("r", FinishReason.STOP)
    assert text(heard) == QUICK.text
    assert heard[-1] is finished
    assert finished.usage.completion_tokens == len(heard) - 1
    assert 0 < finished.usage.image_tokens < finished.usage.prompt_tokens


async def test_a_failure_is_the_only_end():
    async with playing(FAILING) as (engine, heard):
        await engine.generate(request())
        await until(lambda: ends(heard))
    assert [(e.request_id, e.title) for e in ends(heard)] == [("r", "Out of memory")]
    assert text(heard) == "It is"


async def test_requests_are_answered_one_after_another_with_the_answers_in_turn():
    async with playing(QUICK, ScriptedAnswer("A dog.", repeat=2)) as (engine, heard):
        for request_id in "abc":
            await engine.generate(request(request_id))
        await until(lambda: len(ends(heard)) == 3)
    assert [event.request_id for event in ends(heard)] == ["a", "b", "c"]
    told = [event.request_id for event in heard]
    assert told == sorted(told)
    assert [text(heard, r) for r in "abc"] == [QUICK.text, "A dog.A dog.", QUICK.text]


async def test_an_abort_ends_the_running_answer_with_what_was_written():
    async with playing(SLOW, QUICK) as (engine, heard):
        await engine.generate(request())
        await until(lambda: text(heard))
        await engine.abort("r")
        await engine.abort("r")
        await engine.generate(request("next"))
        await until(lambda: len(ends(heard)) == 2)
    assert [event.reason for event in ends(heard)] == [FinishReason.ABORT, FinishReason.STOP]
    assert SLOW.text.startswith(text(heard))
    assert text(heard) != SLOW.text


async def test_an_abort_ends_a_request_that_waits_or_has_just_come():
    async with playing(SLOW) as (engine, heard):
        await engine.generate(request("first"))
        await engine.generate(request("waiting"))
        await engine.abort("waiting")
        await until(lambda: ends(heard))
        assert [(e.request_id, e.reason) for e in ends(heard)] == [("waiting", FinishReason.ABORT)]
        await engine.abort("first")
        await engine.abort("never asked")
        await until(lambda: len(ends(heard)) == 2)
    assert len(ends(heard)) == 2


@pytest.mark.parametrize(
    "leave",
    [
        "unload",
        "close",
    ],
)
async def test_what_runs_and_what_waits_is_ended_when_the_model_leaves(leave):
    async with playing(SLOW) as (engine, heard):
        for request_id in "ab":
            await engine.generate(request(request_id))
        await getattr(engine, leave)()
        await until(lambda: len(ends(heard)) == 2)
    assert sorted(event.request_id for event in ends(heard)) == ["a", "b"]


async def test_a_load_is_told_and_ends_once():
    async with playing(QUICK, load_s=0.02, context_length=99) as (engine, heard):
        await engine.load(LoadModel("/models/GLM-4.1V"))
        await until(lambda: isinstance(heard[-1:] and heard[-1], Loaded))
    loaded = [event for event in heard if isinstance(event, Loaded)]
    assert [(e.model.name, e.model.context_length) for e in loaded] == [("GLM-4.1V", 99)]
    done = [event.done for event in heard if isinstance(event, Loading)]
    assert done == sorted(done) != []


async def test_another_load_replaces_the_one_that_runs():
    async with playing(QUICK, load_s=0.05) as (engine, heard):
        await engine.load(LoadModel("first"))
        await until(lambda: heard)
        await engine.load(LoadModel("second"))
        await until(lambda: len([e for e in heard if isinstance(e, Loaded | Failed)]) == 2)
    first, second = (event for event in heard if isinstance(event, Loaded | Failed))
    assert isinstance(first, Failed)
    assert first.request_id is None
    assert second.model.name == "second"


async def test_images_are_kept_and_measured():
    async with playing(QUICK) as (engine, heard):
        assert not engine.has_image("key")
        await engine.put_image("key", RgbImage(1, 1, b"rgb"))
        assert engine.has_image("key")
        await engine.measure(((3, 2), (30, 20)))
        await until(lambda: heard)
    (measured,) = heard
    assert isinstance(measured, Measured)
    assert measured.sizes == ((3, 2), (30, 20))
    assert len(measured.seen) == len(measured.tokens) == 2


def test_a_script_is_read(tmp_path):
    path = tmp_path / "script.toml"
    path.write_text('load_s = 0.5\n[[answers]]\ntext = "A cat."\nfirst_token_s = 0.2\n')
    assert read_script(path) == Script((ScriptedAnswer("A cat.", first_token_s=0.2),), load_s=0.5)


@pytest.mark.parametrize("content", ["[[answers", "", "[[answers]]\ntxt = 'x'\n", None])
def test_a_script_that_cannot_be_played_is_told_with_its_name(tmp_path, content):
    path = tmp_path / "script.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError) as caught:
        read_script(path)
    assert str(path) in caught.value.body
