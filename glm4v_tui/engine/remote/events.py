"""Server-sent events: from bytes as they come to the data of whole events.

The shapes are those of the WHATWG's "Server-sent events": lines that end in LF, CR LF or CR, a
comment behind a colon, several ``data`` lines joined by a line feed, an event ended by an empty
line. Names and ids of events mean nothing in this interface.
"""

from __future__ import annotations

MAX_EVENT_BYTES = 4 << 20
"""A longer event is none of this interface."""


class TooLongError(Exception):
    """An event does not end."""


class EventReader:
    """Turns received bytes into the data of events, however they were cut."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self.is_torn = False
        """The bytes so far stop inside of an event."""

    def feed(self, received: bytes) -> list[bytes]:
        """Add bytes; the data of the events that are now complete.

        Raises:
            TooLongError: an event grows without end.
        """
        found: list[bytes] = []
        if self._after_cr and received.startswith(b"\n"):
            received = received[1:]
        self._after_cr = received.endswith(b"\r") if received else self._after_cr
        *lines, rest = received.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            whole = bytes(self._line) + line
            self._line.clear()
            self._take(whole, found)
        self._line += rest
        if len(self._line) + self._size > MAX_EVENT_BYTES:
            raise TooLongError
        self.is_torn = bool(self._line or self._data)
        return found

    def _take(self, line: bytes, found: list[bytes]) -> None:
        if not line:
            if any(self._data):  # one without data only keeps the connection open
                found.append(b"\n".join(self._data))
            self._data, self._size = [], 0
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(value)
            if self._size > MAX_EVENT_BYTES:
                raise TooLongError
