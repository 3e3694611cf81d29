"""A server that kills, stalls, cuts and floods at random, for a thousand questions."""

import asyncio
import collections
import gc
import random
import re
import time
import tracemalloc

import pytest

from glm4v_tui.engine.protocol import Failed, FailureKind, Finished, Sampling
from tests.chat_server import DONE, ChatServer, Drop, Reply, Stall, Stream, chunk, models

QUESTIONS, IN_FLIGHT, TIMEOUT_S = 1000, 16, 0.6
PATH = "/v1/chat/completions"


def reply_to(request, dice):
    """Its own number, in an answer of many pieces; or what goes wrong instead."""
    number = re.search(r"number (\d+)", request.json["messages"][-1]["content"])[1]
    words = [chunk(f"{number}-{piece} ") for piece in range(8)]
    whole = Stream(*words, chunk(finish="stop"), DONE)
    faults = [
        Drop(),
        Stall(),
        Stream(*words[: dice.randrange(8)], ends=False),
        Stream(*words[: dice.randrange(8)], 60),
        Stream(*words[:3], b"data: {broken\n\n"),
        Stream(*words[:3], b'data: {"error": {"message": "out of memory"}}\n\n'),
        Stream(*[chunk("flood " * 500)] * 60),
        Reply("", 500),
        Reply("", 503),
        Reply("", 429, {"retry-after": "0"}),
        Reply(text="<html>no</html>", kind="text/html"),
    ]
    return whole if dice.random() < 0.6 else dice.choice(faults)


@pytest.fixture
async def storm():
    dice = random.Random(8)
    server = await ChatServer().start()
    server.replies = {"/v1/models": models("m"), PATH: lambda request: reply_to(request, dice)}
    yield server
    await server.stop()


async def test_no_question_is_lost_or_answered_twice_and_none_hangs(storm, person_at):
    person = person_at(storm.url, timeout=TIMEOUT_S, max_in_flight=IN_FLIGHT)
    await person.load()
    ends, texts = collections.Counter(), collections.defaultdict(str)
    failed = collections.Counter()
    sizes = []
    tracemalloc.start()
    began = time.monotonic()
    for first in range(0, QUESTIONS, 100):
        waiting = {str(number) for number in range(first, first + 100)}
        for name in sorted(waiting):
            await person.say(f"Say number {name}.", name=name, sampling=Sampling(60))
        async with asyncio.timeout(20):
            while waiting:
                event = await anext(person._events)
                if isinstance(event, Finished | Failed) and event.request_id:
                    ends[event.request_id] += 1
                    waiting.discard(event.request_id)
                    is_whole = isinstance(event, Finished)
                    failed[None if is_whole else event.title.replace(event.request_id, "")] += 1
                    if is_whole:
                        name = event.request_id
                        whole = "".join(f"{name}-{piece} " for piece in range(8))
                        assert texts.pop(name) == whole  # not cut, not doubled, not another's
                    else:
                        assert event.kind is FailureKind.SERVER
                        assert event.remedy
                        texts.pop(event.request_id, None)
                elif hasattr(event, "text"):
                    texts[event.request_id] += event.text
        storm.arrived.clear()
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert time.monotonic() - began < 30
    assert set(ends) == {str(number) for number in range(QUESTIONS)}
    assert set(ends.values()) == {1}
    assert failed[None] > QUESTIONS * 0.6  # most; what passes was tried again
    assert len(failed) >= 6  # and each kind of fault has its own words
    assert max(sizes[2:]) < sizes[1] + (1 << 20)  # memory stays flat
    assert not person.engine._running


async def test_a_server_that_comes_and_goes_loses_nothing(person_at):
    """Every question ends, and what is asked after the server is back is answered."""
    server = await ChatServer().start()
    person = person_at(server.url, max_in_flight=4)
    reply = Stream(chunk("x", "stop"), DONE)
    server.replies = {"/v1/models": models("m"), PATH: reply}
    await person.load()
    asked = 0
    ends = collections.Counter()

    async def hear(count):
        async with asyncio.timeout(10):
            while sum(ends.values()) < count:
                event = await anext(person._events)
                if isinstance(event, Finished | Failed) and event.request_id:
                    ends[event.request_id] += 1

    for _ in range(3):
        for _ in range(20):
            asked += 1
            await person.say(name=str(asked))
        await asyncio.sleep(0)
        port = server.port
        await server.stop()
        await hear(asked)
        server = ChatServer(server.replies)
        await server.start(port=port)
    _, end = await person.ask(name="last")
    assert isinstance(end, Finished)
    assert len(ends) == asked
    assert set(ends.values()) == {1}
    await server.stop()
