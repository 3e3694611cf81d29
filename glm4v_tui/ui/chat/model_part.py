"""Choosing a model, freeing its memory, and telling what it is at."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.engine.sending import placed_words
from glm4v_tui.errors import GlmError
from glm4v_tui.plain import plain_line
from glm4v_tui.session import ModelState
from glm4v_tui.ui.aside import aside
from glm4v_tui.ui.bound_keys import bound_key
from glm4v_tui.ui.chat.ask_part import AskPart
from glm4v_tui.ui.notices import tell_error

if TYPE_CHECKING:
    from textual.binding import BindingType

    from glm4v_tui.engine.protocol import LoadModel, MemoryReading
    from glm4v_tui.ui.bridge import MemoryRead, SendingAsked, WorkerFellSilent
    from glm4v_tui.ui.screens.model import ChosenModel
    from glm4v_tui.ui.widgets.gauge import VramGauge


class ModelPart(AskPart):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f4", "choose_model", "Model", id="chat.model", priority=True),
        Binding("f8", "unload", "Free memory", id="chat.unload", show=False,
                tooltip="Unload the model; the next question loads it again"),
        Binding("f10", "load_before", "Model before", id="chat.model_before", show=False,
                priority=True, tooltip="Load the model again that was in use before this one"),
        # a key that nobody types by the way: letters go to the composer
        Binding("f12", "send_images", "Send", id="chat.send_images", priority=True,
                tooltip="Let the images of this question go to the host that is named"),
    ]  # fmt: skip

    _told_error: GlmError | None = None
    _last_good: LoadModel | None = None
    """What was loaded last."""
    _before: LoadModel | None = None
    """What was in use before that, or before what is being loaded."""
    _fetched: LoadModel | None = None
    """What begins with a download."""
    _memory: MemoryReading | None = None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "send_images":
            return self._sending_wanted is not None
        return super().check_action(action, parameters)

    def on_sending_asked(self, message: SendingAsked) -> None:
        self._sending = message.wanted
        self.show_state()
        self.refresh_bindings()

    async def action_send_images(self) -> None:
        """Yes; no is Esc, which ends the question."""
        wanted, self._sending = self._sending_wanted, None
        if wanted is not None:
            await self._session.engine.allow_sending(wanted.request_id, allows=True)
        self.show_state()
        self.refresh_bindings()

    async def action_choose_model(self) -> None:
        from glm4v_tui.ui.screens.model import ModelScreen

        screen = ModelScreen(
            self._session.command, self._launch.settings.model, lambda: self._memory
        )
        await self.app.push_screen(screen, self._take_model)

    def _take_model(self, chosen: ChosenModel | None) -> None:
        if chosen is None:
            return
        if chosen.look.needs_download:
            from glm4v_tui.models.words import download

            self._fetched = chosen.command
            key = bound_key(self, "chat.stop")
            self.notify(f"{download(chosen.look)} {key} stops it.", timeout=10, markup=False)
        self._load(chosen.command)
        self._question.composer.focus()

    def _load(self, command: LoadModel) -> None:
        """Load it in place of the model of now, whose memory comes back first."""
        session = self._session
        is_there = session.model_state is ModelState.READY
        now = session.command if is_there else self._last_good
        if now is not None and now != command:
            self._before = now
        self.run_worker(self._session.load(command), group="commands")

    def _note_place(self, task: str, before: LoadModel | None) -> None:
        self._before = before or self._before
        key = bound_key(self, "chat.model_before")
        back = "" if before is None else f" {key} returns to {_name(before)}."
        self.notify(f"{placed_words(task)}{back}", timeout=10, markup=False)

    def action_load_before(self) -> None:
        """The model before, and with the next press this one again."""
        before = self._before
        if before is None or before == self._session.command:
            self.notify("There was no other model before this one.", markup=False)
            return
        self.run_worker(self._load_again(before), group="before", exclusive=True)

    async def _load_again(self, before: LoadModel) -> None:
        """Its files may have gone since; then the model of now stays."""
        try:
            await aside(lambda: _require_again(before))
        except GlmError as error:
            tell_error(self, error)
        else:
            self._load(before)
            self.notify(f"{_name(before)} is loaded again.", markup=False)

    def action_stop(self) -> None:
        """A download that the user began ends as an answer does, after what waits for it."""
        if self._is_fetching and not self._session.queued:
            self.run_worker(self._stop_loading(), group="commands")
        else:
            super().action_stop()

    @property
    def _is_fetching(self) -> bool:
        session = self._session
        if session.model_state is not ModelState.LOADING or session.loading is None:
            return False
        began = session.command is not None and session.command == self._fetched
        return session.loading.stage == "download" or (began and session.loading.stage == "start")

    async def _stop_loading(self) -> None:
        await self._session.stop_loading()
        self.show_state()
        self.notify(f"Stopped; what is here of it stays.{self._way_back()}", markup=False)

    def _way_back(self) -> str:
        """The key that loads the model of before, in a sentence."""
        if self._before is None or self._before == self._session.command:
            return ""
        key = bound_key(self, "chat.model_before")
        return f" {key} loads {_name(self._before)} again."

    def action_unload(self) -> None:
        self.run_worker(self._unload(), group="commands")

    async def _unload(self) -> None:
        model = self._session.model
        if model is not None and model.host:
            words = (
                f"The model runs at {plain_line(model.host)}: it takes no memory of this program."
            )
            self.notify(words, markup=False)
            return
        await self._session.unload()
        self.show_state()
        waiting = len(self._session.queued)
        also = f" {waiting} that wait are asked with it." if waiting else ""
        words = f"The model's memory is free. The next question loads it again.{also}"
        self.notify(words, markup=False)

    def on_model_changed(self) -> None:
        self._silent_s = 0.0
        if self._session.model_state is ModelState.READY:
            self._note_good(self._session.command)
            self._measure()
            self.run_worker(self._learn_shape(), group="shape")
        error = self._session.model_error
        if error is not None and error is not self._told_error:
            tell_error(self, error)
            if way := self._way_back().strip():
                self.notify(way, timeout=15, markup=False)
        self._told_error = error
        self.show_state()

    def _note_good(self, command: LoadModel | None) -> None:
        """A model is there: remember it, and that images cost what it says."""
        if command is None or command == self._last_good:
            return
        if self._before is not None:
            self._question.forget_costs()
        self._last_good = command
        self.run_worker(aside(lambda: _remember(command)), group="remember")

    async def _learn_shape(self) -> None:
        await aside(_import_chooser)
        if self._last_good is not None:
            await self._next.learn("" if self._last_good.engine else self._last_good.model)
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
        self._memory = reading
        self._side_bar.show_memory(reading)
        self._status.show_memory(reading)

    def on_worker_fell_silent(self, message: WorkerFellSilent) -> None:
        self._silent_s = message.seconds
        self.show_state()


def _name(command: LoadModel) -> str:
    if command.engine:
        return f"the engine {plain_line(command.engine)}"
    if command.model == str(CHECKPOINT):
        return "the embedded model"
    return plain_line(command.model.rstrip("/").rpartition("/")[2])


def _import_chooser() -> None:
    """Ahead of the key that opens it, in a thread: it takes some 60 ms."""
    import glm4v_tui.ui.screens.model  # noqa: F401


def _require_again(command: LoadModel) -> None:
    from glm4v_tui.models import require_again

    require_again(command)


def _remember(command: LoadModel) -> None:
    from glm4v_tui.models import remember

    remember(command)
