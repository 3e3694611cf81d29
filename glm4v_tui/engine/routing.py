"""One engine in front of several: this machine's own, and those elsewhere that are named.

``LoadModel.engine`` says which one is meant from then on. The one before is left as if its model
were unloaded: what it was doing fails, its memory comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from glm4v_tui.engine.engine import Engine
from glm4v_tui.engine.protocol import failure_of
from glm4v_tui.errors import GlmError, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from glm4v_tui.engine.protocol import Event, Generate, LoadModel, RgbImage, Score


class RoutingEngine(Engine):
    """Hands everything on to the engine of now.

    Args:
        make: Makes the engine of a name; empty for this machine's own, which is made once. Those
            elsewhere are made anew with every load, by the settings of then. Raises ``GlmError``
            for a name that there is not.
        keep_private: Told the digests of files that a private task is asked about, and the task:
            they are not to leave this machine later, either. Blocks.
    """

    def __init__(
        self,
        make: Callable[[str], Engine],
        keep_private: Callable[[Collection[str], str], None] = lambda *_: None,
    ) -> None:
        self._make = make
        self._keep_private = keep_private
        self._private: set[str] = set()
        """Digests that it was told of."""
        self._engines: dict[str, Engine] = {}
        self._now: Engine | None = None
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._pumps: dict[Engine, asyncio.Task[None]] = {}
        self._changing = asyncio.Lock()

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            yield event

    async def load(self, command: LoadModel) -> None:
        async with self._changing:
            try:
                engine = await self._made(command.engine)
            except GlmError as error:
                self._events.put_nowait(failure_of(error))
                return
            if self._now is not None and self._now is not engine:
                await self._now.unload()
            self._now = engine
            await engine.load(command)

    def has_image(self, key: str) -> bool:
        return self._now is not None and self._now.has_image(key)

    async def put_image(self, key: str, image: RgbImage) -> None:
        await self._present.put_image(key, image)

    async def drop_image(self, key: str) -> None:
        for engine in self._engines.values():
            await engine.drop_image(key)

    async def measure(self, sizes: tuple[tuple[int, int], ...]) -> None:
        await self._present.measure(sizes)

    async def generate(self, request: Generate) -> None:
        await self._note_private(request)
        await self._present.generate(request)

    async def score(self, request: Score) -> None:
        await self._note_private(request)
        await self._present.score(request)

    async def _note_private(self, request: Generate | Score) -> None:
        if not request.private_task:
            return
        shown = {
            image.digest.partition(" ")[0]
            for message in request.messages
            for image in message.attachments
        }
        if fresh := shown - self._private:
            self._private |= fresh
            with contextlib.suppress(StoreError):  # a full disk keeps nobody from asking at home
                await asyncio.to_thread(self._keep_private, fresh, request.private_task)

    async def abort(self, request_id: str) -> None:
        for engine in self._engines.values():
            await engine.abort(request_id)

    async def consent(self, request_id: str, *, is_given: bool) -> None:
        await self._present.consent(request_id, is_given=is_given)

    async def allow_sending(self, request_id: str, *, allows: bool) -> None:
        await self._present.allow_sending(request_id, allows=allows)

    async def unload(self) -> None:
        if self._now is not None:
            await self._now.unload()

    async def close(self) -> None:
        async with self._changing:  # an engine that is being started is ended as well
            for engine in self._engines.values():
                await engine.close()
        await asyncio.gather(*self._pumps.values())
        self._events.put_nowait(None)

    @property
    def _present(self) -> Engine:
        """The engine of now; this machine's own before anything was loaded."""
        if self._now is None:
            self._now = self._engines.get("") or self._take("", self._make(""))
        return self._now

    async def _made(self, name: str) -> Engine:
        """The engine of a name. In a thread: what it imports takes longer than the screen may
        wait."""
        if name in self._engines and not name:
            return self._engines[name]
        old = self._engines.get(name)
        made = self._take(name, await asyncio.to_thread(self._make, name))
        if old is not None:
            self._now = made if self._now is old else self._now
            await self._leave(old)
        return made

    async def _leave(self, engine: Engine) -> None:
        """End it; what it had to tell is told before anything of another one."""
        await engine.unload()
        await engine.close()
        await self._pumps.pop(engine)

    def _take(self, name: str, engine: Engine) -> Engine:
        self._engines[name] = engine
        self._pumps[engine] = asyncio.create_task(self._pump(engine))
        return engine

    async def _pump(self, engine: Engine) -> None:
        async for event in engine.events():
            self._events.put_nowait(event)
