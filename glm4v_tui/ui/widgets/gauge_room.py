"""Whether the next question has room beside the weights, by the readings of one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.gpu import gpus_of

if TYPE_CHECKING:
    from glm4v_tui.ui.widgets.gauge_text import Readings


def room_for_next(readings: Readings) -> int | None:
    """Bytes that the next question may use: what is free, and what the last one leaves."""
    worker = readings.worker
    if worker is None or not worker.weights:
        return None
    if not worker.devices:
        host = readings.host
        return None if host is None else host.available + worker.kv_cache
    gpus = gpus_of(readings.gpus.gpus, (device.uuid for device in worker.devices))
    free = [gpu.memory_free for gpu in gpus if gpu.memory_free is not None]
    if len(free) != len(worker.devices):
        return None
    reserved = sum(device.reserved for device in worker.devices)
    return sum(free) + max(0, reserved - worker.weights)


def lacks_room(readings: Readings) -> bool:
    """True when the next question is forecast to need more than there is."""
    room = room_for_next(readings)
    return room is not None and readings.coming is not None and readings.coming > room
