"""An engine that plays a script: for tests, for measuring the screen, for trying it out.

It keeps the promises of the protocol and knows nothing about images. A script is TOML::

    load_s = 0.5                 # seconds until the model is "loaded"
    at_once = 1                  # answers that are played together

    [[answers]]                  # played in turn, then again from the first
    text = "A cat on a mat."
    tokens_per_s = 50.0
    first_token_s = 0.2
    repeat = 1                   # the text this many times over
    fail = ""                    # a title: fail with it after the text
    cut = false                  # end as at the length limit
"""

from __future__ import annotations

import asyncio
import itertools
import math
import re
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.engine.engine import Engine
from glm4v_tui.engine.protocol import (
    Event,
    Failed,
    FailureKind,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    Loading,
    LoadModel,
    Measured,
    ModelInfo,
    RgbImage,
    Score,
    Scored,
    TextDelta,
    Timing,
    Usage,
)
from glm4v_tui.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_IMAGE_TOKENS = 100
_TOKEN = re.compile(r"\s*\S{1,4}|\s+")


class ScriptedAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    tokens_per_s: float = 50.0
    first_token_s: float = 0.0
    repeat: int = 1
    fail: str = ""
    cut: bool = False


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    answers: tuple[ScriptedAnswer, ...]
    load_s: float = 0.0
    context_length: int = 8192
    at_once: int = 1


def read_script(path: Path) -> Script:
    """Read a script file.

    Raises:
        SettingsError: the file cannot be read or is not a script.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Script)
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsError("The script cannot be played", f"{path}: {error}") from error


class ScriptedEngine(Engine):
    def __init__(self, script: Script) -> None:
        self._script = script
        self._answers = itertools.cycle(script.answers)
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._keys: set[str] = set()
        self._playing: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(script.at_once)
        self._load: asyncio.Task[None] | None = None

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            yield event

    async def load(self, command: LoadModel) -> None:
        await self.unload()
        self._load = asyncio.create_task(self._play_load(command))

    def has_image(self, key: str) -> bool:
        return key in self._keys

    async def put_image(self, key: str, image: RgbImage) -> None:  # noqa: ARG002
        self._keys.add(key)

    async def drop_image(self, key: str) -> None:
        self._keys.discard(key)

    async def measure(self, sizes: tuple[tuple[int, int], ...]) -> None:
        tokens = tuple(_IMAGE_TOKENS for _ in sizes)
        self._events.put_nowait(Measured(sizes, sizes, tokens))

    async def generate(self, request: Generate) -> None:
        task = asyncio.create_task(self._play_answer(request, next(self._answers)))
        self._playing[request.request_id] = task

    async def score(self, request: Score) -> None:
        """A script knows no probabilities: all answers are as probable."""
        count = len(request.answers)
        self._events.put_nowait(
            Scored(request.request_id, (-math.log(count),) * count, (1,) * count)
        )

    async def abort(self, request_id: str) -> None:
        await asyncio.sleep(0)  # let it begin: a task cancelled before that ends without a word
        if task := self._playing.get(request_id):
            task.cancel()

    async def consent(self, request_id: str, *, is_given: bool) -> None:
        """A script never asks."""

    async def unload(self) -> None:
        await asyncio.sleep(0)
        playing = list(self._playing.values())
        for task in playing:
            task.cancel()
        # One that was to begin just now ends without a word, which nobody waits for any more.
        await asyncio.gather(*playing, return_exceptions=True)
        if self._load is not None and self._load.cancel():
            self._events.put_nowait(Failed(FailureKind.WORKER_DIED, "Loading was ended"))

    async def close(self) -> None:
        await self.unload()
        self._events.put_nowait(None)

    async def _play_load(self, command: LoadModel) -> None:
        steps = 20
        for step in range(steps if self._script.load_s else 0):
            self._events.put_nowait(Loading("weights", step * 1_000_000, steps * 1_000_000))
            await asyncio.sleep(self._script.load_s / steps)
        info = ModelInfo(
            *(command.model.rpartition("/")[2] or "script", "scripted", "none", "none"),
            parameters=0,
            weight_bytes=0,
            context_length=self._script.context_length,
            load_s=self._script.load_s,
            at_once=self._script.at_once,
        )
        self._events.put_nowait(Loaded(info))

    async def _play_answer(self, request: Generate, answer: ScriptedAnswer) -> None:
        loop = asyncio.get_running_loop()
        tokens = _TOKEN.findall(answer.text * answer.repeat)
        end = FinishReason.LENGTH if answer.cut else FinishReason.STOP
        written, reason, start = 0, end, loop.time()
        try:
            async with self._turn:
                start = loop.time() + answer.first_token_s
                for index, token in enumerate(tokens):
                    await asyncio.sleep(start + index / answer.tokens_per_s - loop.time())
                    self._events.put_nowait(TextDelta(request.request_id, token))
                    written += 1
        except asyncio.CancelledError:
            reason = FinishReason.ABORT
        del self._playing[request.request_id]
        if answer.fail and reason is not FinishReason.ABORT:
            failed = Failed(FailureKind.INTERNAL, answer.fail, request_id=request.request_id)
            self._events.put_nowait(failed)
            return
        self._events.put_nowait(
            Finished(
                request.request_id,
                reason,
                _usage(request, written),
                Timing(
                    answer.first_token_s,
                    (written - 1) / (loop.time() - start) if written > 1 else None,
                    loop.time() - start + answer.first_token_s,
                ),
            )
        )


def _usage(request: Generate, written: int) -> Usage:
    """Sizes in the manner of a model: a token for four characters, a hundred for an image."""
    images = sum(len(message.attachments) for message in request.messages) * _IMAGE_TOKENS
    text = sum(len(message.text) for message in request.messages) // 4
    return Usage(images + text, images, written)
