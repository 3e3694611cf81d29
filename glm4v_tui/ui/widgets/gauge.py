"""The memory gauge: what the GPUs (or this host, where there is none) and the model hold."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING

from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from glm4v_tui.gpu import GpuMonitor, GpuReport, process_memory, read_host
from glm4v_tui.ui.widgets.gauge_room import lacks_room, room_for_next
from glm4v_tui.ui.widgets.gauge_text import Readings, Steady, compact, panel

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import RenderResult
    from textual.geometry import Size

    from glm4v_tui.engine.protocol import MemoryReading

_PERIOD_S = 1.0
_monitor = GpuMonitor()
"""One for all gauges: the driver is opened once."""

_WIDEST_COMPACT = 60


class VramGauge(Widget):
    """Live at 1 Hz. Repaints only when what it says has changed.

    Args:
        compact: One line for a status bar instead of a panel for a side bar.
        read_gpus: Where the readings of GPUs come from; called in a thread.
    """

    DEFAULT_CSS = """
    VramGauge {
        width: 1fr;
        height: auto;
        &.-compact { width: auto; max-width: 100%; height: 1; }
    }
    """

    @dataclass
    class RoomLacking(Message):
        """The next question is forecast to need more memory than there is; told once."""

        needed: int
        room: int
        """Bytes."""

    def __init__(
        self,
        *,
        compact: bool = False,
        read_gpus: Callable[[], GpuReport] | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.set_class(compact, "-compact")
        self._is_compact = compact
        self._read_gpus = read_gpus or _monitor.read
        self._steady = Steady()
        self._readings: Readings | None = None
        self._worker: MemoryReading | None = None
        self._coming: int | None = None
        self._lacked_room = False
        self._asked_for = 0
        self._lines: list[Content] = [Content()]
        self._stopped = Event()

    def update_worker(self, reading: MemoryReading | None) -> None:
        """Take the worker's own figures; None when there is no worker any more."""
        self._worker = reading
        if self._readings is not None:
            self._take(self._readings)

    def update_coming(self, needed: int | None) -> None:
        """Take the bytes that the next question will need; None when unknown."""
        if needed != self._coming:
            self._coming = needed
            if self._readings is not None:
                self._take(self._readings)

    def on_mount(self) -> None:
        # After the first frame: the bindings of NVML are not imported in its way.
        self.call_after_refresh(self._start)

    def on_unmount(self) -> None:
        self._stopped.set()

    def on_resize(self, _: events.Resize) -> None:
        self._show()

    def get_content_width(self, container: Size, viewport: Size) -> int:
        if not self._is_compact or self._readings is None:
            return super().get_content_width(container, viewport)
        return self._width_wanted(self._readings, viewport.width)

    def _width_wanted(self, readings: Readings, screen_width: int) -> int:
        """Others share the line: it asks for a third of it, and says less where that is little."""
        room = min(_WIDEST_COMPACT, screen_width // 3)
        return compact(readings, self._steady, room).cell_length

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(self._lines)

    def render(self) -> RenderResult:
        return Content("\n").join(self._lines)

    def _start(self) -> None:
        # A thread of our own that nobody waits for: a driver that hangs must not hold up the exit.
        Thread(target=self._sample, name="gauge", daemon=True).start()

    def _sample(self) -> None:
        while not self._stopped.is_set():
            self.call_later(self._take, self._read())
            self._stopped.wait(_PERIOD_S)

    def _read(self) -> Readings:
        try:
            gpus = self._read_gpus()
        except Exception as error:  # noqa: BLE001 - no reading is worth the screen
            gpus = GpuReport(reason=str(error))
        return Readings(gpus, read_host(), process_memory(), None)

    def _take(self, readings: Readings) -> None:
        self._readings = readings._replace(worker=self._worker, coming=self._coming)
        self._tell_lack(self._readings)
        self._show()

    def _tell_lack(self, readings: Readings) -> None:
        lacked, self._lacked_room = self._lacked_room, lacks_room(readings)
        room = room_for_next(readings)
        if self._lacked_room and not lacked and readings.coming is not None and room is not None:
            self.post_message(self.RoomLacking(readings.coming, room))

    def _show(self) -> None:
        if self._readings is None:
            return
        self._ask_for_width(self._readings)
        lines = self._compose_lines(self._readings)
        if len(lines) == len(self._lines) and all(map(Content.is_same, lines, self._lines)):
            return
        is_same_shape = [line.cell_length for line in lines] == [
            line.cell_length for line in self._lines
        ]
        self._lines = lines
        self.refresh(layout=not is_same_shape)

    def _ask_for_width(self, readings: Readings) -> None:
        """Have the line laid out anew when there is more or less to say than it has room for."""
        if not self._is_compact:
            return
        wanted = self._width_wanted(readings, self.app.size.width)
        if wanted != self._asked_for:
            self._asked_for = wanted
            self.refresh(layout=True)

    def _compose_lines(self, readings: Readings) -> list[Content]:
        if self._is_compact:
            return [compact(readings, self._steady, self.size.width or _WIDEST_COMPACT)]
        return panel(readings, self._steady, self.size.width)
