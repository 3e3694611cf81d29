import contextlib

import pytest
import pytest_asyncio

from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.engine.protocol import (
    Failed,
    Finished,
    Generate,
    Loaded,
    LoadModel,
    RgbImage,
    Sampling,
    Scored,
    TextDelta,
)
from glm4v_tui.engine.remote.engine import RemoteEngine
from glm4v_tui.engine_settings import RemoteSettings
from tests.chat_server import ChatServer, answer, models

IMAGE = RgbImage(4, 3, bytes(range(36)))
SOURCE = "5e" * 32


class MemoryLedger:
    """Keeps in a list what a database would."""

    def __init__(self):
        self.sent, self.hosts, self.private = [], set(), {}

    def note(self, images):
        self.sent += images

    def is_allowed(self, host):
        return host in self.hosts

    def allow(self, host):
        self.hosts.add(host)

    def private_task_of(self, digest):
        return self.private.get(digest, "")


class Person:
    """Talks to an engine and hears all that it says."""

    def __init__(self, engine, ledger):
        self.engine, self.ledger = engine, ledger
        self.heard = []
        self._events = engine.events()

    async def load(self):
        await self.engine.load(LoadModel("m", engine="there"))
        return await self.until(Loaded, Failed)

    async def until(self, *kinds):
        async for event in self._events:
            self.heard.append(event)
            if isinstance(event, kinds):
                return event
        raise AssertionError("the engine was closed")

    async def show(self, key="a", image=IMAGE):
        """Give an image; what a message shows it by."""
        await self.engine.put_image(key, image)
        return Attachment("/home/someone/Secret Plan.jpg", key, image.width, image.height)

    async def say(self, text="What is it?", *images, name="1", **more):
        message = Message(Role.USER, text, images)
        await self.engine.generate(Generate(name, (message,), **more))

    async def ask(self, *args, **more):
        """Ask and wait for the end; the text and the end."""
        await self.say(*args, **more)
        name = more.get("name", "1")
        while (end := await self.until(Finished, Failed, Scored)).request_id != name:
            pass
        return self.text(name), end

    def text(self, name="1"):
        mine = (one for one in self.heard if isinstance(one, TextDelta) and one.request_id == name)
        return "".join(one.text for one in mine)


@pytest_asyncio.fixture
async def server():
    one = await ChatServer().start()
    one.replies["/v1/models"] = models("m")
    one.replies["/v1/chat/completions"] = answer()
    yield one
    await one.stop()


@pytest_asyncio.fixture
async def person_at():
    """A person at an engine with these settings."""
    async with contextlib.AsyncExitStack() as stack:

        def make(url, *, asks=False, ledger=None, watch_s=0.01, **settings):
            ledger = ledger or MemoryLedger()
            told = RemoteSettings(url=url, model="m", **{"timeout": 5.0, **settings})
            engine = RemoteEngine(
                "there", told, lambda: ledger, asks=asks, watch_s=watch_s, backoff_s=0.001
            )
            stack.push_async_callback(engine.close)
            return Person(engine, ledger)

        yield make


@pytest.fixture
def greedy():
    return Sampling(max_new_tokens=50, temperature=0.0)
