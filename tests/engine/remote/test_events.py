"""Server-sent events out of bytes that are cut anywhere."""

import pytest

from glm4v_tui.engine.remote.events import MAX_EVENT_BYTES, EventReader, TooLongError

WHOLE = b": hello\ndata: one\n\nevent: x\nid: 4\ndata:two\ndata: three\n\n\ndata\n\ndata: four"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_events_are_the_same_however_they_are_cut(end, size):
    sent = WHOLE.replace(b"\n", end)
    reader = EventReader()
    found = []
    for at in range(0, len(sent), size):
        found += reader.feed(sent[at : at + size])
    assert found == [b"one", b"two\nthree"]
    assert reader.is_torn


def test_an_event_without_end_is_not_kept():
    reader = EventReader()
    reader.feed(b"x" * MAX_EVENT_BYTES)
    with pytest.raises(TooLongError):
        reader.feed(b"x")


def test_lines_without_end_are_not_kept_either():
    reader = EventReader()
    line = b"data: " + b"x" * (MAX_EVENT_BYTES // 2 + 1) + b"\n"
    reader.feed(line)
    with pytest.raises(TooLongError):
        reader.feed(line)
