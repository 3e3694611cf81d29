"""The engine whose model runs at a server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import traceback
from collections import OrderedDict
from typing import TYPE_CHECKING

from glm4v_tui.engine.engine import Engine
from glm4v_tui.engine.protocol import (
    UNCOUNTED,
    Event,
    Failed,
    FailureKind,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    Loading,
    ModelInfo,
    Progress,
    Score,
    Scored,
    SendingWanted,
    failure_of,
)
from glm4v_tui.engine.remote.address import Address
from glm4v_tui.engine.remote.asking import Asking
from glm4v_tui.engine.remote.client import Client
from glm4v_tui.engine.remote.faults import Fault
from glm4v_tui.engine.remote.gate import Gate
from glm4v_tui.engine.remote.keys import key_of
from glm4v_tui.engine.remote.server import Server, look_at_server
from glm4v_tui.errors import GlmError
from glm4v_tui.plain import plain_line
from glm4v_tui.turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from glm4v_tui.engine.protocol import LeavingImage, LoadModel, RgbImage
    from glm4v_tui.engine.remote.asking import Slot
    from glm4v_tui.engine.remote.dialects import Dialect
    from glm4v_tui.engine.remote.gate import Ask, Encoded, Ledger
    from glm4v_tui.engine_settings import RemoteSettings

_READY = 2
"""Requests to have for each that may be at the server: the next is put together meanwhile."""
_WATCH_S = 2.0
_WATCH_MOST_S = 30.0
"""How often a server that is down is looked for, at first and at last."""


class RemoteEngine(Engine):
    """Asks a server over HTTP; nothing of the model is on this machine.

    A server that cannot be reached ends the request that found out, and then the load, so that
    whatever waits behind it waits on; it is looked for until it is back, which is told as a load.

    Args:
        name: The engine's name in the settings.
        ledger: Made when the first image is to leave for another host; blocks.
        asks: Somebody is there to answer ``SendingWanted``.
        watch_s: Seconds between looks for a server that is down; grows.
        backoff_s: Seconds before the second attempt at something that may pass; doubles.
    """

    def __init__(
        self,
        name: str,
        settings: RemoteSettings,
        ledger: Callable[[], Ledger],
        *,
        asks: bool = False,
        watch_s: float = _WATCH_S,
        backoff_s: float = 0.5,
    ) -> None:
        self._name = name
        self._settings = settings
        self._ledger = ledger
        self._asks = asks
        self._watch_s = watch_s
        self._backoff_s = backoff_s
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._address: Address | None = None
        self._gate: Gate | None = None
        self._client: Client | None = None
        self._server: Server | None = None
        self._images: OrderedDict[str, Encoded] = OrderedDict()
        self._slots = Turns(settings.max_in_flight)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._ending: dict[str, Event] = {}
        """How a request that is being ended ends, where that is not by abort."""
        self._consents: dict[str, asyncio.Future[bool]] = {}
        self._connecting: asyncio.Task[None] | None = None
        self._is_loading = False

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            yield event

    async def load(self, command: LoadModel) -> None:  # noqa: ARG002 - the settings name the model
        await self._end_all("Another model was chosen")
        self._is_loading = True
        self._connecting = asyncio.create_task(self._connect())

    def has_image(self, key: str) -> bool:
        return key in self._images

    async def put_image(self, key: str, image: RgbImage) -> None:
        """Only what would be sent is kept, which is some tenth of the pixels."""
        self._images[key] = await asyncio.to_thread(self._ready_gate().encode, image)

    async def drop_image(self, key: str) -> None:
        self._images.pop(key, None)

    async def measure(self, sizes: tuple[tuple[int, int], ...]) -> None:
        """What images cost there, nobody tells: no answer."""

    async def generate(self, request: Generate) -> None:
        self._begin(request)

    async def score(self, request: Score) -> None:
        self._begin(request)

    async def abort(self, request_id: str) -> None:
        await asyncio.sleep(0)  # let it begin
        if task := self._running.get(request_id):
            task.cancel()

    async def consent(self, request_id: str, *, is_given: bool) -> None:
        """Never wanted: how a server makes do with its memory is its own."""

    async def allow_sending(self, request_id: str, *, allows: bool) -> None:
        waiting = self._consents.get(request_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(allows)

    async def unload(self) -> None:
        await self._end_all("The engine was left")
        self._images.clear()

    async def close(self) -> None:
        await self._end_all("The program ends")
        if self._client is not None:
            await self._client.close()
        self._events.put_nowait(None)

    # The server -----------------------------------------------------------------------------

    def _ready_gate(self) -> Gate:
        """Raises SettingsError: the server's URL is none."""
        if self._gate is None or self._address is None:
            self._address = Address.of(self._settings.url, self._settings.proxy)
            self._gate = Gate(self._name, self._settings, self._address, self._ledger)
        return self._gate

    def _ready_client(self) -> tuple[Client, Address]:
        """Raises SettingsError: URL, key or certificates are missing."""
        self._ready_gate()
        assert self._address is not None
        if self._client is None:
            key = key_of(self._settings, os.environ)
            self._client = Client(self._settings, self._address, key)
        return self._client, self._address

    async def _connect(self) -> None:
        try:
            self._events.put_nowait(Loading("start"))
            await self._look()
        except Fault as fault:
            self._loading_failed(fault.error)
            if fault.is_down:
                await self._watch()
        except GlmError as error:
            self._loading_failed(error)

    def _loading_failed(self, error: GlmError) -> None:
        self._is_loading = False
        self._events.put_nowait(failure_of(error))

    async def _look(self) -> None:
        # in a thread: the system's certificates take a moment to read
        client, address = await asyncio.to_thread(self._ready_client)
        began_at = asyncio.get_running_loop().time()
        self._server = await look_at_server(client, self._settings, address)
        self._is_loading = False
        server, dialect = self._server, self._server.dialect
        info = ModelInfo(
            name=plain_line(self._settings.model),
            model_type=dialect.name,
            precision=dialect.title,
            device=address.shown,
            parameters=0,
            weight_bytes=0,
            context_length=server.context_length,
            load_s=asyncio.get_running_loop().time() - began_at,
            host=address.shown,
            is_elsewhere=not address.is_loopback,
            at_once=_READY * self._settings.max_in_flight,
        )
        self._events.put_nowait(Loaded(info))

    async def _watch(self) -> None:
        """Look for the server until it is there; who waits for it then goes on."""
        seconds = self._watch_s
        while True:
            await asyncio.sleep(seconds)
            seconds = min(seconds * 1.5, max(_WATCH_MOST_S, self._watch_s))
            with contextlib.suppress(Fault):
                await self._look()
                return

    def _note_down(self, error: GlmError) -> None:
        """The server is gone: what waits must wait on, and not fail one by one."""
        if self._connecting is None or self._connecting.done():
            self._events.put_nowait(failure_of(error))
            self._connecting = asyncio.create_task(self._watch())

    # Requests -------------------------------------------------------------------------------

    def _begin(self, request: Generate | Score) -> None:
        """What images it shows is settled now: later they may be dropped."""
        shown = {
            one.key: (one.digest.partition(" ")[0], self._images.get(one.key))
            for message in request.messages
            for one in message.attachments
        }
        task = asyncio.create_task(self._answer(request, shown))
        name = request.request_id
        self._running[name] = task
        task.add_done_callback(self._note_cancelled)

    def _note_cancelled(self, task: asyncio.Task[None]) -> None:
        """What was cancelled has not told its end; it may not even have begun."""
        name = next((name for name, one in self._running.items() if one is task), None)
        if name is not None:
            self._end(name, Finished(name, FinishReason.ABORT, UNCOUNTED))

    def _end(self, request_id: str, event: Event) -> None:
        """Tell the one end of a request, whichever comes first."""
        if self._running.pop(request_id, None) is not None:
            self._events.put_nowait(self._ending.pop(request_id, event))

    async def _answer(
        self, request: Generate | Score, shown: dict[str, tuple[str, Encoded | None]]
    ) -> None:
        name = request.request_id
        try:
            client, address = self._ready_client()
            gate = self._ready_gate()
            asking = Asking(
                *(client, address, self._settings, gate, self._events.put_nowait),
                ask=self._ask_of(name) if self._asks else None,
                slot=self._slot_of(request),
                backoff_s=self._backoff_s,
            )
            images = await asking.cleared(request, shown)
            dialect = await self._dialect()
            end: Finished | Scored
            if isinstance(request, Score):
                end = await asking.score(request, images, dialect)
            else:
                end = await asking.generate(request, images, dialect)
            self._end(name, end)
        except Fault as fault:
            if fault.is_down:
                self._note_down(fault.error)
            self._end(name, failure_of(fault.error, name))
        except GlmError as error:
            self._end(name, failure_of(error, name))
        except Exception as error:  # noqa: BLE001 - a request always ends
            failed = Failed(
                FailureKind.INTERNAL,
                "The engine met a defect of its own",
                f"{type(error).__name__}: {plain_line(str(error))}",
                "Please report it.",
                name,
                traceback.format_exc(),
            )
            self._end(name, failed)

    def _slot_of(self, request: Generate | Score) -> Slot:
        """What somebody waits for comes before what is asked ahead."""

        @contextlib.asynccontextmanager
        async def slot() -> AsyncIterator[None]:
            async with self._slots.one(is_soon=request.urgent):
                self._events.put_nowait(Progress(request.request_id, "prompt"))
                yield

        return slot

    async def _dialect(self) -> Dialect:
        if self._server is None:
            client, address = self._ready_client()
            self._server = await look_at_server(client, self._settings, address)
        return self._server.dialect

    def _ask_of(self, name: str) -> Ask:
        async def ask(images: tuple[LeavingImage, ...], warnings: tuple[str, ...]) -> bool:
            assert self._address is not None
            waiting: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._consents[name] = waiting
            host = self._address.shown
            self._events.put_nowait(SendingWanted(name, host, images, warnings))
            try:
                return await waiting
            finally:
                del self._consents[name]

        return ask

    async def _end_all(self, why: str) -> None:
        """End what runs and what is being connected; every one of them is told."""
        tasks = list(self._running.items())
        for name, task in tasks:
            self._ending[name] = Failed(FailureKind.WORKER_DIED, why, request_id=name)
            task.cancel()
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
        if self._is_loading:
            self._is_loading = False
            self._events.put_nowait(Failed(FailureKind.WORKER_DIED, why))
        await asyncio.gather(*(task for _, task in tasks), return_exceptions=True)
        await asyncio.sleep(0)  # their callbacks tell
        self._ending.clear()
