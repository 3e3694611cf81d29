"""Images of a queue: what is found, in which order, and what does not move."""

import os
import time
from pathlib import Path

import pytest

from glm4v_tui.errors import NotAnImageError
from glm4v_tui.images import ImageReader, install_readers
from glm4v_tui.triage.queue import STEADY, Queue
from tests.triage.reviews import images_in


def shown(queue):
    return [queue.path(queue.at(position)).name for position in range(len(queue))]


# What is found ----------------------------------------------------------------------------------


def test_natural_order_folder_after_folder(tmp_path):
    images_in(tmp_path, ["img10.png", "img2.JPG", "notes.txt", ".hidden.png"])
    images_in(tmp_path / "b10", ["1.png"])
    images_in(tmp_path / "b9", ["2.png"])
    assert shown(Queue.of([tmp_path])) == ["img2.JPG", "img10.png"]
    assert shown(Queue.of([tmp_path], recursive=True)) == [
        "img2.JPG", "img10.png", "2.png", "1.png",
    ]  # fmt: skip


def test_named_files_are_taken_once_whatever_they_are_called(tmp_path):
    images_in(tmp_path, ["a.png", "b.data"])
    queue = Queue.of([tmp_path / "b.data", tmp_path, tmp_path / "a.png", tmp_path])
    assert shown(queue) == ["a.png", "b.data"]


def test_what_cannot_be_read_is_told_and_left_out(tmp_path, monkeypatch):
    folder = images_in(tmp_path / "parts", ["a.png"])
    (folder / "sub.png").mkdir()
    images_in(folder / "sub.png", ["b.png"])
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.png").symlink_to(folder / "nowhere")
    scandir = os.scandir

    def guarded(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    (folder / "closed").mkdir()
    monkeypatch.setattr(os, "scandir", guarded)  # root may read everything
    queue = Queue.of([folder, tmp_path / "missing"], recursive=True)
    assert shown(queue) == ["a.png", "dangling.png", "b.png"]
    told = "\n".join(queue.listing.notices)
    assert "closed may not be read" in told
    assert "missing does not exist" in told
    assert "1 link to a folder was not followed" in told


def test_nothing_at_all_is_an_error_that_says_what_was_looked_at(tmp_path):
    with pytest.raises(NotAnImageError) as caught:
        Queue.of([tmp_path / "missing"])
    assert "missing" in caught.value.body
    with pytest.raises(NotAnImageError, match="--recursive"):
        Queue.of([tmp_path])


def test_files_without_suffix_where_a_reader_knows_their_beginning(tmp_path):
    images_in(tmp_path, ["a.png"])
    (tmp_path / "IM0001").write_bytes(bytes(128) + b"DICM" + b"x")
    (tmp_path / "1.2.840.5").write_bytes(bytes(128) + b"DICM" + b"x")
    (tmp_path / "README").write_bytes(b"text")
    os.mkfifo(tmp_path / "pipe")
    install_readers([])  # those of plugins that other tests have loaded know such files, too
    assert shown(Queue.of([tmp_path])) == ["a.png"]
    install_readers([ImageReader("DICOM", (".dcm",), lambda file, frame: None, ((128, b"DICM"),))])
    try:
        assert shown(Queue.of([tmp_path])) == ["1.2.840.5", "a.png", "IM0001"]
    finally:
        install_readers([])


def test_many_files_are_found_fast(tmp_path):
    for number in range(20_000):
        (tmp_path / f"img{number}.png").touch()
    started = time.perf_counter()
    queue = Queue.of([tmp_path])
    assert time.perf_counter() - started < 1.0  # 0.04 s where nothing else runs
    assert len(queue) == 20_000
    assert queue.path(queue.at(19_999)) == tmp_path / "img19999.png"
    assert queue.listing.find(str(tmp_path / "img12345.png")) == 12_345
    assert queue.listing.find(str(tmp_path / "else" / "img1.png")) is None


# Where the reviewer is --------------------------------------------------------------------------


@pytest.fixture
def queue(tmp_path):
    return Queue.of([images_in(tmp_path, [f"{number:02}.png" for number in range(20)])])


def test_moving(queue):
    assert queue.current.name == "00.png"
    assert not queue.move(-1)
    assert queue.move(10)
    assert queue.index == 10
    assert queue.go(99) == 19
    assert list(queue.around(2, 2)) == [17, 18, 19]
    assert queue.position_of(7) == 7


def test_showing_some_keeps_the_current_image(queue):
    queue.go(7)
    queue.show(range(1, 20, 2))
    assert queue.index == 7
    queue.show([1, 3])
    assert queue.index == 1
    queue.show([])
    assert queue.index is None
    assert queue.current is None
    assert not queue.move(1)
    assert queue.position_of(3) is None


def test_uncertain_first_and_the_unknown_by_name(queue):
    chances = {3: 0.9, 5: 0.6, 9: 0.7}
    queue.show(range(20), lambda index: chances.get(index, 2.0))
    assert [queue.at(position) for position in range(6)] == [5, 9, 3, 0, 1, 2]
    assert queue.index == 0  # still the current one


def test_what_comes_next_does_not_jump(queue):
    chances = {}
    key = lambda index: chances.get(index, 2.0)  # noqa: E731
    queue.show(range(20), key)
    near = [queue.at(position) for position in range(STEADY + 1)]
    for index, chance in ((3, 0.5), (15, 0.9), (17, 0.6), (12, 0.7)):
        chances[index] = chance
        queue.replace(index)
    assert [queue.at(position) for position in range(STEADY + 1)] == near
    assert [queue.at(STEADY + 1 + place) for place in range(4)] == [17, 12, 15, 6]
    assert sorted(queue.at(position) for position in range(20)) == list(range(20))


def test_paths_keep_names_that_are_no_text(tmp_path):
    images_in(tmp_path, ["a.png"])
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    odd.write_bytes(b"x")
    assert odd in list(map(Queue.of([tmp_path]).path, range(2)))
