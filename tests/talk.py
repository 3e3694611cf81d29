"""Asking an engine and hearing how it ends, for tests that ask real models."""

from __future__ import annotations

import asyncio

from PIL import Image

from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.engine.protocol import (
    Failed,
    Finished,
    Generate,
    Loaded,
    LoadModel,
    RgbImage,
    Sampling,
    TextDelta,
)

SAMPLES = CHECKPOINT.parent / "samples"
GREEDY = Sampling(max_new_tokens=120, temperature=0.0)


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
