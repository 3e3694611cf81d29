"""Frames, however the socket cuts them."""

import random
import socket
import struct
import threading

import msgspec
import pytest

from glm4v_tui.chat import Attachment, Box, Message, Role
from glm4v_tui.engine import wire
from glm4v_tui.engine.protocol import (
    Abort,
    Command,
    DeviceMemory,
    Failed,
    FailureKind,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    Loading,
    LoadModel,
    Measure,
    Measured,
    MemoryReading,
    ModelInfo,
    Progress,
    PutImage,
    ResultForm,
    RgbImage,
    Sampling,
    Shutdown,
    TextDelta,
    WorkerExited,
    WorkerSilent,
)

PART = Attachment("/ä b.png", "ab" * 32, 3, 2, Box(1, 2, 4, 4), ("turned upright",))
COMMANDS = [
    LoadModel("zai-org/GLM-4.1V-9B-Thinking", "bf16", "cuda"),
    PutImage(PART.key, RgbImage(3, 2, bytes(range(18)))),
    Measure(((3, 2), (4096, 4096))),
    Generate("r1", (Message(Role.SYSTEM, ""), Message(Role.USER, "何だ\n", (PART,)))),
    Generate("r2", (), Sampling(seed=1), ResultForm('{"type": "null"}', 300)),
    Abort("r1"),
    Shutdown(),
]
EVENTS = [
    Loading("weights", 1 << 34, 1 << 35),
    Loaded(ModelInfo("m", "glm4v", "bf16", "cuda:0", 9, 18, None, 1.5)),
    Measured(((3, 2),), ((28, 28),), (4,)),
    Progress("r1", "images"),
    TextDelta("r1", "Ein Würfel 🎲", 3),
    Finished("r1", FinishReason.LENGTH),
    Failed(FailureKind.USAGE, "Too long", "body", "remedy", "r1", "Traceback"),
    Failed(FailureKind.CHECKPOINT, "No shard"),
    MemoryReading(1, 2, 3, (DeviceMemory("GPU-1", 4, 5, 6),)),
    WorkerExited("it ended", expected=True),
    WorkerSilent(15.5),
]


def stream(messages) -> bytes:
    return b"".join(wire.pack(message) for message in messages)


@pytest.mark.parametrize(
    ("reader", "messages"), [(wire.command_reader, COMMANDS), (wire.event_reader, EVENTS)]
)
def test_everything_of_the_protocol_comes_back_equal_in_one_read(reader, messages):
    assert reader().feed(stream(messages)) == messages


def test_frames_may_be_cut_anywhere():
    data = stream(EVENTS)
    for cut in range(len(data) + 1):
        reader = wire.event_reader()
        assert reader.feed(data[:cut]) + reader.feed(data[cut:]) == EVENTS
        assert not reader.is_torn


@pytest.mark.parametrize("seed", range(5))
def test_frames_may_be_cut_often(seed):
    chance, data, reader, got = random.Random(seed), stream(COMMANDS), wire.command_reader(), []
    while data:
        size = chance.randint(1, 9)
        got += reader.feed(data[:size])
        data = data[size:]
    assert got == COMMANDS


def test_a_stream_that_ends_inside_a_frame_is_torn():
    frame = wire.pack(EVENTS[0])
    for cut in range(1, len(frame)):
        reader = wire.event_reader()
        assert reader.feed(frame + frame[:cut]) == EVENTS[:1]
        assert reader.is_torn


def test_a_length_that_cannot_be_is_refused_before_its_bytes_come():
    reader = wire.event_reader()
    with pytest.raises(wire.BrokenStreamError, match=str(wire.MAX_FRAME_BYTES + 1)):
        reader.feed(struct.pack(">I", wire.MAX_FRAME_BYTES + 1))


@pytest.mark.parametrize(
    "frame",
    [b"", b"\xc1", b"Traceback (most recent call last)", b"\x80", stream(COMMANDS[:1])[4:]],
    ids=["empty", "no MessagePack", "text", "no tag", "a command"],
)
def test_a_frame_that_is_no_event_is_refused(frame):
    with pytest.raises(wire.BrokenStreamError):
        wire.event_reader().feed(struct.pack(">I", len(frame)) + frame)


def test_text_on_the_socket_is_refused():
    """What a library prints is no length: 0x54726163 is more than a frame may have."""
    with pytest.raises(wire.BrokenStreamError):
        wire.event_reader().feed(b"Traceback")


def test_a_message_larger_than_the_socket_takes_arrives_whole():
    ours, theirs = socket.socketpair()
    picture = PutImage("key", RgbImage(400, 300, random.Random(1).randbytes(400 * 300 * 3)))
    with ours, theirs:
        sending = threading.Thread(target=wire.send, args=(ours, picture))
        sending.start()
        reader, got = wire.command_reader(), []
        while not got:
            got = reader.feed(theirs.recv(1 << 12))
        sending.join()
    assert got == [picture]


def test_what_an_older_side_does_not_send_has_its_default():
    old = {"type": "Generate", "request_id": "r", "messages": []}
    command = msgspec.convert(old, Command)
    assert command == Generate("r", ())
    assert command.form is None
    attachment = {"path": "/a", "digest": "aa", "width": 1, "height": 2}
    assert msgspec.convert(attachment, Attachment) == Attachment("/a", "aa", 1, 2)
    assert msgspec.convert({"schema": "{}"}, ResultForm) == ResultForm("{}", 0)
