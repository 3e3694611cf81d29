"""What the memory gauge says, as text: pure functions of the readings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from textual.content import Content

from glm4v_tui.gpu import GpuReading, GpuReport, HostMemory, gpus_of, same_device
from glm4v_tui.plain import plain_line
from glm4v_tui.ui.widgets.bar import Part, bar
from glm4v_tui.ui.widgets.gauge_room import lacks_room, room_for_next

if TYPE_CHECKING:
    from glm4v_tui.engine.protocol import DeviceMemory, MemoryReading

GIB = 1 << 30
WARN_AT, ALARM_AT = 0.80, 0.92
"""Used fractions from which a device is shown in the warning and in the error color."""

_OTHERS = "$foreground 45%"
_IDLE = "$secondary"
_COMPACT_BAR = 8


class Readings(NamedTuple):
    """All that is known at one moment."""

    gpus: GpuReport
    host: HostMemory | None
    interface: int | None
    """Resident bytes of this process."""
    worker: MemoryReading | None
    coming: int | None = None
    """Bytes that the next question will need beside the weights; None when unknown."""


class Steady:
    """Rounds bytes to steps of GiB and stays at a step until the value has clearly left it.

    A quiet machine wavers by some megabytes; without this the last digit would flicker, and
    every flicker is a repaint.
    """

    def __init__(self) -> None:
        self._shown: dict[str, float] = {}

    def gib(self, key: str, size: int | None, step: float = 0.1) -> float | None:
        """The value to show under ``key``; None stays None."""
        if size is None:
            return None
        value = size / GIB
        shown = self._shown.get(key)
        if shown is None or abs(value - shown) > 0.75 * step:
            shown = self._shown[key] = round(value / step) * step
        return shown


class Device(NamedTuple):
    """One memory as the gauge shows it; sizes in GiB, None when unknown."""

    title: str
    total: float | None
    used: float | None
    ours: float
    """What our allocator uses."""
    idle: float
    """What our allocator holds without using it."""
    peak: float | None
    digits: int = 1

    @property
    def others(self) -> float | None:
        """Other processes, and what CUDA itself needs."""
        return None if self.used is None else max(0.0, self.used - self.ours - self.idle)

    @property
    def fraction(self) -> float | None:
        return None if self.used is None or not self.total else min(1.0, self.used / self.total)


def devices_of(readings: Readings, steady: Steady) -> tuple[Device, ...]:
    """The GPUs that the model uses; none when it runs on the host."""
    worker = readings.worker
    if worker is not None and worker.weights and not worker.devices:
        return ()
    ours = worker.devices if worker is not None else ()
    gpus = gpus_of(readings.gpus.gpus, (device.uuid for device in ours))
    return tuple(_device(gpu, _match(gpu, ours, len(gpus)), steady) for gpu in gpus)


def host_of(readings: Readings, steady: Steady) -> Device:
    """The host's memory, in whole GiB: other programs move it all the time."""
    host, worker = readings.host, readings.worker
    total = None if host is None else steady.gib("host.total", host.total, 1)
    used = None if host is None else steady.gib("host.used", host.used, 1)
    ours = steady.gib("worker", worker.process if worker is not None else None)
    return Device("Host memory", total, used, ours or 0.0, 0.0, None, digits=0)


def _match(gpu: GpuReading, ours: tuple[DeviceMemory, ...], count: int) -> DeviceMemory | None:
    if count == len(ours) == 1 and not ours[0].uuid:
        return ours[0]
    return next((device for device in ours if same_device(gpu.uuid, device.uuid)), None)


def _device(gpu: GpuReading, ours: DeviceMemory | None, steady: Steady) -> Device:
    key = gpu.uuid or str(gpu.index)
    allocated = steady.gib(f"{key}.ours", ours.allocated if ours else 0) or 0.0
    idle = steady.gib(f"{key}.idle", ours.reserved - ours.allocated if ours else 0) or 0.0
    return Device(
        title=f"{gpu.index} {plain_line(gpu.name).removeprefix('NVIDIA ')}",
        total=steady.gib(f"{key}.total", gpu.memory_total),
        used=steady.gib(f"{key}.used", gpu.memory_used),
        ours=allocated,
        idle=idle,
        peak=steady.gib(f"{key}.peak", ours.peak if ours else None),
    )


# Lines ------------------------------------------------------------------------------------------


def panel(readings: Readings, steady: Steady, width: int) -> list[Content]:
    """The gauge for a side bar, ``width`` cells wide."""
    devices = devices_of(readings, steady)
    if not devices:
        return _host_panel(readings, steady, width)
    lines = [line for device in devices for line in _device_lines(device, width)]
    worker = readings.worker
    if worker is None:
        return [*lines, _row("model", None, width)]
    lines += [
        *_next_row(readings, steady, width),
        _row("weights", steady.gib("weights", worker.weights), width),
        _row("KV cache", steady.gib("kv_cache", worker.kv_cache), width),
        _row("worker, host memory", steady.gib("worker", worker.process), width),
    ]
    return lines


def compact(readings: Readings, steady: Steady, width: int) -> Content:
    """The gauge on one line of at most ``width`` cells: says less where there is less room."""
    devices = devices_of(readings, steady)
    name, shown = ("VRAM", _sum(devices)) if devices else ("RAM", host_of(readings, steady))
    numbers = _of_total(shown)
    ours = "n/a" if readings.worker is None else _number(shown.ours + shown.idle)
    is_known = shown.fraction is not None
    meter = (" ", bar(_parts(shown), shown.total, _COMPACT_BAR)) if is_known else ()
    figures = (" ", (numbers, _text_color(shown.fraction)))
    label = (name, "$text-muted")
    warning: tuple[Content, ...] = ()
    if lacks_room(readings):
        needed, room = (steady.gib(*pair) for pair in _next_pairs(readings))
        words = f"  next {_number(needed)}, free {_number(room)}"
        warning = (Content.assemble(label, *figures, (words, "$text-error")),)
    candidates = (
        *warning,
        Content.assemble(label, *meter, *figures, ("  ours ", "$text-muted"), ours),
        Content.assemble(label, *meter, *figures),
        Content.assemble(label, *figures),
        Content.assemble(figures[1]),
    )
    return next((line for line in candidates if line.cell_length <= width), candidates[-1])


def _device_lines(device: Device, width: int) -> list[Content]:
    return [
        Content.styled(device.title, "$text-muted").truncate(width, ellipsis=True),
        *_meter(device, width),
        _row("ours", device.ours, width),
        _row("ours, reserved but free", device.idle, width),
        _row("ours, peak", device.peak, width),
        _row("CUDA and others", device.others, width),
    ]


def _host_panel(readings: Readings, steady: Steady, width: int) -> list[Content]:
    host, worker = host_of(readings, steady), readings.worker
    known = worker is not None
    return [
        Content.styled(f"{host.title} (no GPU)", "$text-muted").truncate(width, ellipsis=True),
        *_meter(host, width),
        _row("model process", host.ours if known else None, width),
        _row("weights", steady.gib("weights", worker.weights) if worker else None, width),
        _row("KV cache", steady.gib("kv_cache", worker.kv_cache) if worker else None, width),
        *_next_row(readings, steady, width),
        _row("this interface", steady.gib("interface", readings.interface), width),
    ]


def _meter(device: Device, width: int) -> list[Content]:
    percent = "" if device.fraction is None else f"{device.fraction:.0%}"
    text = _of_total(device)
    gap = " " * max(1, width - len(text) - len(percent))
    color = _text_color(device.fraction)
    return [
        bar(_parts(device), device.total, width),
        Content.assemble((text, color), gap, (percent, color)).truncate(width),
    ]


def _next_row(readings: Readings, steady: Steady, width: int) -> tuple[Content, ...]:
    """What the next question will need; nothing as long as that is not known."""
    if readings.coming is None:
        return ()
    color = "$text-error" if lacks_room(readings) else ""
    needed = steady.gib("next", readings.coming)
    return (_row("next question needs", needed, width, color),)


def _next_pairs(readings: Readings) -> tuple[tuple[str, int | None], ...]:
    return ("next", readings.coming), ("room", room_for_next(readings))


def _row(label: str, value: float | None, width: int, color: str = "") -> Content:
    number = _number(value)
    room = max(0, width - len(number) - 3)
    label = f"{label[:room]:<{room}}"
    return Content.assemble((f"  {label} ", "$text-muted"), (number, color)).truncate(width)


def _sum(devices: tuple[Device, ...]) -> Device:
    used = [device.used for device in devices if device.used is not None]
    total = [device.total for device in devices if device.total is not None]
    return Device(
        title="",
        total=sum(total) if len(total) == len(devices) else None,
        used=sum(used) if len(used) == len(devices) else None,
        ours=sum(device.ours for device in devices),
        idle=sum(device.idle for device in devices),
        peak=None,
    )


def _of_total(device: Device) -> str:
    if device.used is None or device.total is None:
        return "n/a"
    total = f"{device.total:.{device.digits}f}"
    return f"{device.used:{len(total)}.{device.digits}f}/{total} GiB"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.1f}"


# Colors ------------------------------------------------------------------------------------------


def _parts(device: Device) -> tuple[Part, ...]:
    return (
        Part(device.ours, _bar_color(device.fraction)),
        Part(device.idle, _IDLE),
        Part(device.others or 0.0, _OTHERS),
    )


def _bar_color(fraction: float | None) -> str:
    return _by_fill(fraction, "$primary", "$warning", "$error")


def _text_color(fraction: float | None) -> str:
    return _by_fill(fraction, "$foreground", "$text-warning", "$text-error")


def _by_fill(fraction: float | None, calm: str, warning: str, alarm: str) -> str:
    if fraction is None or fraction < WARN_AT:
        return calm
    return warning if fraction < ALARM_AT else alarm
