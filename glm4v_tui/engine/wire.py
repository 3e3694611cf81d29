"""Frames on a stream socket: four bytes of length (big endian), then one MessagePack value."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from glm4v_tui.engine.protocol import Command, Event

if TYPE_CHECKING:
    import socket

_HEADER = struct.Struct(">I")
MAX_FRAME_BYTES = 1 << 30
"""A longer frame is a broken stream, not a message."""

_encoder = msgspec.msgpack.Encoder()
T = TypeVar("T")


class BrokenStreamError(Exception):
    """The bytes on the socket are not frames of this protocol."""


def pack(message: Command | Event) -> bytes:
    """One message as one frame."""
    frame = bytearray(_HEADER.size)
    _encoder.encode_into(message, frame, _HEADER.size)
    _HEADER.pack_into(frame, 0, len(frame) - _HEADER.size)
    return bytes(frame)


class FrameReader(Generic[T]):
    """Turns received bytes into messages, however they were cut."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[T]) -> None:
        self._decoder = decoder
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """Add bytes; return the messages that are now complete.

        Raises:
            BrokenStreamError: a length or a value that this protocol cannot have written.
        """
        self._buffer += data
        messages: list[T] = []
        start = 0
        while (end := self._frame_end(start)) is not None:
            messages.append(self._decode(memoryview(self._buffer)[start + _HEADER.size : end]))
            start = end
        del self._buffer[:start]
        return messages

    @property
    def is_torn(self) -> bool:
        """True when the stream stopped inside a frame."""
        return bool(self._buffer)

    def _frame_end(self, start: int) -> int | None:
        if len(self._buffer) - start < _HEADER.size:
            return None
        (length,) = _HEADER.unpack_from(self._buffer, start)
        if length > MAX_FRAME_BYTES:
            raise BrokenStreamError(f"a frame of {length} bytes was announced")
        end = start + _HEADER.size + int(length)
        return end if len(self._buffer) >= end else None

    def _decode(self, frame: memoryview) -> T:
        try:
            return self._decoder.decode(frame)
        except msgspec.DecodeError as error:
            raise BrokenStreamError(str(error)) from error
        finally:
            frame.release()


def command_reader() -> FrameReader[Command]:
    return FrameReader(msgspec.msgpack.Decoder(Command))


def event_reader() -> FrameReader[Event]:
    return FrameReader(msgspec.msgpack.Decoder(Event))


def send(sock: socket.socket, message: Command | Event) -> None:
    """Write one message whole (blocking socket)."""
    sock.sendall(pack(message))
