"""How fast the terminal takes what is written, learnt from the writes themselves.

A terminal is never asked: over a slow line its answers come late, as keys. But a picture that is
handed to it is taken no faster than the line carries it, and the thread that writes waits so long.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from textual.app import App
    from textual.driver import Driver

LARGE = 16_000
"""Bytes from which on a write says something: less goes into the system's buffers."""
NEWEST = 0.5
"""The weight of the newest write."""


class LinkMeter:
    """Is told of every write by the thread that writes, and read by the one that draws."""

    def __init__(self) -> None:
        self.rate: float | None = None
        """Bytes a second; None until something large was written."""

    def took(self, size: int, seconds: float) -> None:
        """Note a write of so many bytes."""
        if size < LARGE:
            return
        rate = size / max(seconds, 1e-6)
        self.rate = rate if self.rate is None else self.rate + NEWEST * (rate - self.rate)


@runtime_checkable
class HasLinkMeter(Protocol):
    link_meter: LinkMeter


def measured_link(app: App[Any], assumed: int) -> float:
    """Bytes a second that the app's terminal takes, as far as known; never above ``assumed``."""
    rate = app.link_meter.rate if isinstance(app, HasLinkMeter) else None
    return assumed if rate is None else max(1.0, min(rate, assumed))


def metered(kind: type[Driver], meter: LinkMeter) -> type[Driver]:
    """The same driver, telling the meter of what it writes."""

    class MeteredDriver(kind):  # type: ignore[misc, valid-type]
        def start_application_mode(self) -> None:
            file = getattr(self, "_file", None)
            if file is not None and not isinstance(file, _MeteredFile):
                self._file = _MeteredFile(file, meter)
            super().start_application_mode()

    return MeteredDriver


class _MeteredFile:
    """A file that tells how long its writes take; all else is the file's own."""

    def __init__(self, file: Any, meter: LinkMeter) -> None:
        self._file = file
        self._meter = meter

    def write(self, text: str) -> int:
        begun = time.monotonic()
        written = self._file.write(text)
        if len(text) >= LARGE:
            self._file.flush()
            self._meter.took(len(text), time.monotonic() - begun)
        return int(written)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
