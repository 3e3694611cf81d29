"""Choosing a model, freeing its memory, and telling what it is at."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.session import ModelState
from glm4v_tui.ui.chat.base import ChatBase
from glm4v_tui.ui.notices import tell_error

if TYPE_CHECKING:
    from textual.binding import BindingType

    from glm4v_tui.engine.protocol import LoadModel, MemoryReading
    from glm4v_tui.errors import GlmError
    from glm4v_tui.ui.bridge import MemoryRead, WorkerFellSilent
    from glm4v_tui.ui.widgets.gauge import VramGauge


class ModelPart(ChatBase):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f4", "choose_model", "Model", id="chat.model", priority=True),
        Binding("f8", "unload", "Free memory", id="chat.unload", show=False,
                tooltip="Unload the model; the next question loads it again"),
    ]  # fmt: skip

    _told_error: GlmError | None = None
    _last_good = ""
    """The model that was loaded last; offered again where another one fails."""

    async def action_choose_model(self) -> None:
        from glm4v_tui.ui.screens.model import ModelScreen

        settings = self._launch.settings.model
        known = [self._last_good, str(CHECKPOINT)]
        screen = ModelScreen(self._session.command, settings, [name for name in known if name])
        await self.app.push_screen(screen, self._take_model)

    def _take_model(self, command: LoadModel | None) -> None:
        if command is not None:
            self.run_worker(self._session.load(command), group="commands")
            self._question.composer.focus()

    def action_unload(self) -> None:
        self.run_worker(self._unload(), group="commands")

    async def _unload(self) -> None:
        await self._session.unload()
        self.show_state()
        waiting = len(self._session.queued)
        also = f" {waiting} that wait are asked with it." if waiting else ""
        words = f"The model's memory is free. The next question loads it again.{also}"
        self.notify(words, markup=False)

    def on_model_changed(self) -> None:
        self._silent_s = 0.0
        if self._session.model_state is ModelState.READY:
            self._last_good = self._session.command.model if self._session.command else ""
            self._measure()
            self.run_worker(self._learn_shape(), group="shape")
        error = self._session.model_error
        if error is not None and error is not self._told_error:
            tell_error(self, error)
        self._told_error = error
        self.show_state()

    async def _learn_shape(self) -> None:
        await self._next.learn(self._last_good)
        self.show_state()

    def on_vram_gauge_room_lacking(self, message: VramGauge.RoomLacking) -> None:
        needed, room = (f"{size / 2**30:.1f}" for size in (message.needed, message.room))
        self.notify(
            f"It needs about {needed} GiB and {room} GiB are free. Ask about fewer or smaller "
            "images or a crop, or begin a new chat.",
            title="The next question may not fit the memory",
            severity="warning",
            markup=False,
        )

    def on_memory_read(self, message: MemoryRead) -> None:
        self._silent_s = 0.0
        self._show_memory(message.reading)
        self.show_state()

    def _show_memory(self, reading: MemoryReading | None) -> None:
        self._side_bar.show_memory(reading)
        self._status.show_memory(reading)

    def on_worker_fell_silent(self, message: WorkerFellSilent) -> None:
        self._silent_s = message.seconds
        self.show_state()
