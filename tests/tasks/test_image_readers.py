"""Formats that plugins bring: which reader a file goes to, and a reader's own faults."""

import sys

import pytest
from PIL import Image

from glm4v_tui.chat import Box
from glm4v_tui.errors import GlmError, ImageError, PluginError
from glm4v_tui.images import (
    Facts,
    ImageReader,
    Preparation,
    ReadImage,
    inspect,
    open_image,
    reopen,
    thumbnail,
)
from glm4v_tui.images.readers import install_readers, installed_readers


def read_raw(file, frame):
    """Two bytes of size, then gray 16-bit values of a unit."""
    head = file.read(6)
    assert head[:4] == b"RAW!"
    image = Image.new("I;16", (head[4], head[5]))
    image.putdata([1000 + 10 * n + (frame or 0) for n in range(head[4] * head[5])])
    return ReadImage(
        image, {"unit": "HU"}, (1100.0, 200.0), frames=3, frame=frame or 1, notes=("raw",)
    )


RAW = ImageReader("RAW", (".raw!",), read_raw, ((0, b"RAW!"),))


@pytest.fixture
def readers():
    before = installed_readers()
    yield lambda *them: install_readers(them)
    install_readers(before)


@pytest.fixture
def raw(tmp_path, readers):
    readers(RAW)
    path = tmp_path / "scan.dat"
    path.write_bytes(b"RAW!\x08\x04")
    return path


def test_a_file_goes_to_the_reader_whose_mark_it_has(raw):
    opened = open_image(raw)
    assert (opened.image.mode, opened.image.size) == ("RGB", (8, 4))
    assert opened.facts == Facts(8, 4, "RAW", {"unit": "HU"})
    assert opened.attachment.notes == ("raw",)
    assert opened.image.getpixel((0, 0))[0] < opened.image.getpixel((7, 3))[0]
    assert inspect(raw).format == "RAW"
    assert thumbnail(raw, 4, 4).size == (4, 2)


def test_a_frame_is_part_of_what_a_picture_is(raw):
    first, third = open_image(raw, frame=0), open_image(raw, frame=2)
    keys = {open_image(raw).attachment.key, first.attachment.key, third.attachment.key}
    assert len(keys) == 3
    assert reopen(third.attachment).tobytes() == third.image.tobytes()


def test_a_task_gets_the_values_as_they_are_of_the_part_it_asked_for(raw):
    seen = []

    def apply(image, facts):
        seen.append((image.mode, image.size, image.getpixel((0, 0)), facts))

    preparation = Preparation("key", apply)
    opened = open_image(raw, Box(2, 1, 6, 3), preparation=preparation)
    assert seen == [("I;16", (4, 2), 1100, Facts(4, 2, "RAW", {"unit": "HU"}))]
    assert opened.attachment.variant == "key"
    assert reopen(opened.attachment, preparation=preparation).tobytes() == opened.image.tobytes()
    # None leaves the picture as it is, with the reader's window
    assert opened.image.tobytes() == open_image(raw, Box(2, 1, 6, 3)).image.tobytes()


def test_a_suffix_counts_only_where_the_bytes_say_nothing(readers, tmp_path):
    def never(file, frame):
        raise AssertionError

    readers(ImageReader("PNGS", (".png", ".x"), never))
    Image.new("RGB", (2, 2)).save(tmp_path / "real.png")
    assert open_image(tmp_path / "real.png").facts.format == "PNG"
    (tmp_path / "other.x").write_bytes(b"????")
    with pytest.raises(ImageError, match="cut off or damaged"):
        open_image(tmp_path / "other.x")


@pytest.mark.parametrize(
    ("read", "error", "said"),
    [
        (lambda *_: None, PluginError, "no ReadImage"),
        (lambda *_: Image.new("L", (1, 1)), PluginError, "no ReadImage"),
        (lambda *_: ReadImage("x"), PluginError, "no ReadImage"),
        (lambda *_: ReadImage(Image.new("L", (1, 1)), {"a": object()}), PluginError, "no JSON"),
        (lambda *_: sys.exit(1), ImageError, "end the program"),
        (lambda *_: 1 / 0, ImageError, "division by zero"),
        (lambda f, n: f.read()[99], ImageError, "index"),
        (lambda *_: ReadImage(Image.new("L", (20000, 10001))), ImageError, "limit"),
    ],
)
def test_a_reader_that_fails_is_told(readers, tmp_path, read, error, said):
    readers(ImageReader("BAD", (".bad",), read))
    (tmp_path / "a.bad").write_bytes(b"????")
    with pytest.raises(error) as caught:
        open_image(tmp_path / "a.bad")
    assert isinstance(caught.value, GlmError)
    assert said in caught.value.body


def test_installing_again_takes_the_place_of_what_was(readers, raw):
    readers()
    with pytest.raises(ImageError, match="Not an image"):
        open_image(raw)
