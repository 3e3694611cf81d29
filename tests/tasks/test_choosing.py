"""Which images of a series a task asks about, and how it says that they were shown."""

import msgspec
import pytest

from glm4v_tui import ImageReader, NoOptions, Task, Words, images
from glm4v_tui.errors import PluginError
from glm4v_tui.tasks.asking import choose_of


class Seen(msgspec.Struct, frozen=True):
    seen: str


class LookTask(Task[Seen, NoOptions]):
    name, title, summary = "look", "Look", "Looks."
    question = Words("What is it?")
    result_type = Seen


class Choosing(LookTask):
    def __init__(self, places):
        self.places = places

    def choose(self, count, options):
        return self.places


@pytest.fixture
def folder(tmp_path):
    """Two series, of four images and of one."""

    def order(paths):
        return [[path for path in sorted(paths) if path.stem < "4"],
                [path for path in paths if path.stem == "4"]]  # fmt: skip

    before = images.installed_readers()
    images.install_readers([ImageReader("SCAN", (), lambda *_: None, ((0, b"SCAN"),), order)])
    for number in range(5):
        (tmp_path / f"{number}.scan").write_bytes(b"SCAN")
    yield tmp_path
    images.install_readers(before)


def test_by_default_the_middle_one_of_the_largest_series(folder):
    choice = choose_of(LookTask(), folder)
    assert choice.files == (folder / "2.scan",)
    assert choice.words == (
        "The folder is a series of 4 images, asked about: 3; 1 other series left out."
    )
    assert str(folder) not in choice.words


def test_chosen_places_are_taken_once_and_in_order(folder):
    assert choose_of(Choosing((3, 0, 3)), folder).places == (0, 3)


@pytest.mark.parametrize("places", [(), (4,), (-1,), None])
def test_places_outside_of_the_series_are_the_tasks_fault(folder, places):
    with pytest.raises(PluginError, match="look failed while choosing"):
        choose_of(Choosing(places), folder)


def test_a_folder_without_a_series(tmp_path):
    (tmp_path / "a.txt").write_text("no image")
    assert choose_of(LookTask(), tmp_path) is None
