"""Several engines as one: work shared, failures asked elsewhere, each request ended once."""

import asyncio
import collections
import contextlib

import pytest

from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.engine.protocol import (
    Failed,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    LoadModel,
    RgbImage,
    TextDelta,
)
from glm4v_tui.engine.remote.engine import RemoteEngine
from glm4v_tui.engine.spread import SpreadEngine
from glm4v_tui.engine_settings import RemoteSettings, engines_named
from glm4v_tui.errors import UsageError
from tests.chat_server import DONE, ChatServer, Drop, Reply, Stream, answer, chunk, models

PATH = "/v1/chat/completions"


class Crowd:
    """A spread engine over some servers, and all that it says."""

    def __init__(self, servers, room=2):
        self.servers = servers
        members = {}
        for number, server in enumerate(servers):
            told = RemoteSettings(server.url, "m", timeout=2.0, max_in_flight=room)
            name = str(number)
            members[RemoteEngine(name, told, lambda: None, watch_s=0.01, backoff_s=0.001)] = room
        self.engine = SpreadEngine(members)
        self.events = self.engine.events()
        self.heard = []

    async def until(self, *kinds):
        async with asyncio.timeout(10):
            async for event in self.events:
                self.heard.append(event)
                if isinstance(event, kinds):
                    return event
        raise AssertionError("closed")

    async def load(self):
        await self.engine.load(LoadModel("m", engine="0,1"))
        return await self.until(Loaded, Failed)

    async def all_up(self):
        while not all(one.is_up for one in self.engine._members):
            await asyncio.sleep(0.005)

    async def say(self, name, *images):
        await self.engine.generate(Generate(name, (Message(Role.USER, "?", images),)))

    async def ends(self, count):
        return [await self.until(Finished, Failed) for _ in range(count)]


@pytest.fixture
async def crowd():
    async with contextlib.AsyncExitStack() as stack:

        async def make(*replies):
            servers = []
            for reply in replies:
                server = await ChatServer({"/v1/models": models("m"), PATH: reply}).start()
                stack.push_async_callback(server.stop)
                servers.append(server)
            crowd = Crowd(servers)
            stack.push_async_callback(crowd.engine.close)
            return crowd

        yield make


async def test_each_gets_as_much_as_it_takes(crowd):
    slow = Stream(0.05, chunk("x", "stop"), DONE)
    many = await crowd(slow, slow)
    assert isinstance(await many.load(), Loaded)
    await many.all_up()
    for number in range(8):
        await many.say(str(number))
    ends = await many.ends(8)
    assert sorted(one.request_id for one in ends) == [str(number) for number in range(8)]
    assert [len(one.questions) for one in many.servers] == [4, 4]
    assert [one.most_open for one in many.servers] == [2, 2]
    assert sum(isinstance(one, Loaded) for one in many.heard) == 1


async def test_a_slow_one_keeps_nothing_that_a_fast_one_could_have(crowd):
    gate = asyncio.Event()

    class Late(Reply):
        async def write(self, writer):
            await gate.wait()
            await answer().write(writer)

    two = await crowd(Late(), answer())
    await two.load()
    await two.all_up()
    for number in range(20):
        await two.say(str(number))
    await two.ends(17)  # all but what the slow one has, and one that is ready for it
    gate.set()
    await two.ends(3)
    assert len(two.servers[1].questions) == 17


async def test_what_waits_is_ended_when_the_engines_are_left(crowd):
    two = await crowd(*[Stream(30)] * 2)
    await two.load()
    await two.all_up()
    for number in range(12):
        await two.say(str(number))
    await two.engine.abort("11")
    assert (await two.ends(1))[0].reason is FinishReason.ABORT
    await two.engine.unload()
    ends = await two.ends(11)
    assert sorted(one.request_id for one in ends) == sorted(map(str, range(11)))
    assert all(isinstance(one, Failed) for one in ends)


@pytest.mark.parametrize("broken", [Drop(), Reply("", 401), Reply("", 500)])
async def test_what_fails_at_one_is_asked_of_the_other(crowd, broken):
    two = await crowd(broken, answer())
    await two.load()
    await two.all_up()
    picture = Attachment("", "a", 2, 1)
    await two.engine.put_image("a", RgbImage(2, 1, bytes(6)))
    for number in range(6):
        await two.say(str(number), picture)
    await two.engine.drop_image("a")  # they keep what they were asked about
    ends = await two.ends(6)
    assert all(isinstance(one, Finished) for one in ends)
    texts = collections.Counter(one.request_id for one in two.heard if isinstance(one, TextDelta))
    assert set(texts.values()) == {2}  # told once: two words
    assert all(len(one.json["messages"][0]["content"]) == 2 for one in two.servers[1].questions)


async def test_an_answer_that_has_begun_is_not_asked_for_again(crowd):
    two = await crowd(*[Stream(chunk("Half"), ends=False)] * 2)
    await two.load()
    await two.say("1")
    (end,) = await two.ends(1)
    assert isinstance(end, Failed)
    assert sum(len(one.questions) for one in two.servers) == 1


async def test_what_fails_everywhere_fails_once(crowd):
    two = await crowd(Reply("", 401), Reply("", 401))
    await two.load()
    await two.say("1")
    (end,) = await two.ends(1)
    assert "401" in end.title
    assert [len(one.questions) for one in two.servers] == [1, 1]


async def test_one_that_is_down_leaves_the_work_to_the_other(crowd):
    two = await crowd(answer(), answer())
    await two.servers[0].stop()
    assert isinstance(await two.load(), Loaded)
    for number in range(4):
        await two.say(str(number))
    assert all(isinstance(one, Finished) for one in await two.ends(4))
    assert len(two.servers[1].questions) == 4


async def test_all_down_is_told_and_so_is_their_return(crowd):
    two = await crowd(answer(), answer())
    for server in two.servers:
        await server.stop()
    assert "cannot be reached" in (await two.load()).title
    port = two.servers[1].port
    back = ChatServer(two.servers[1].replies)
    await back.start(port=port)
    assert isinstance(await two.until(Loaded, Failed), Loaded)
    await two.say("1")
    assert isinstance((await two.ends(1))[0], Finished)
    await back.stop()


async def test_an_abort_ends_it_once_and_nowhere_else(crowd):
    two = await crowd(*[Stream(30)] * 2)
    await two.load()
    await two.say("1")
    await two.engine.abort("1")
    (end,) = await two.ends(1)
    assert end.reason is FinishReason.ABORT
    assert sum(len(one.questions) for one in two.servers) <= 1


def test_engines_of_different_models_are_not_mixed(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(
        "".join(
            f'[engines.{n}]\nurl = "http://{n}"\nmodel = "{m}"\n' for n, m in ("ax", "bx", "cy")
        )
    )
    assert list(engines_named("a, b", file)) == ["a", "b"]
    with pytest.raises(UsageError, match="different models"):
        engines_named("a,c", file)
