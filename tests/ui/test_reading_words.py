"""A long question tells how far it is read."""

from __future__ import annotations

import asyncio

import pytest

from glm4v_tui.engine.protocol import Progress
from glm4v_tui.engine.scripted import ScriptedEngine
from tests.chat_user import chatting, quick


class SlowReader(ScriptedEngine):
    async def generate(self, request):
        self.is_read = asyncio.Event()
        self._events.put_nowait(Progress(request.request_id, "prompt"))
        self._waiting = asyncio.create_task(self._read(request))

    async def _read(self, request):
        self._events.put_nowait(Progress(request.request_id, "prompt", 12_288, 30_000))
        await self.is_read.wait()
        await super().generate(request)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


async def test_a_long_question_tells_how_far_it_is_read():
    async with chatting(quick("A cat."), kind=SlowReader) as user:
        await user.send("Sum this up.")
        await user.sees("reading the question: 41% of 30,000 tokens")
        user.session.engine.is_read.set()
        await user.sees("A cat.")
        await user.misses("reading the question")
