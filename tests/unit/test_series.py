"""Series in folders, in the order that a reader knows."""

import pytest
from PIL import Image

from glm4v_tui import ImageReader, ReadImage, images, windowed
from glm4v_tui.errors import ImageError, NotAnImageError


def read(file, frame):
    value = file.read()[4:]
    if value == b"bad":
        raise NotAnImageError("A bad one", "is bad.", "Leave it.")
    image = Image.new("F", (1, 1), float(value))
    return ReadImage(image, window=(0, 101), is_inverted=True)


def by_content(paths):
    """Even and odd numbers are a series each, the highest number first."""
    numbers = {path: int(path.read_bytes()[4:]) for path in paths}
    falling = sorted(paths, key=numbers.get, reverse=True)
    return [[path for path in falling if numbers[path] % 2 == rest] for rest in (0, 1)]


def installed(order=by_content):
    return ImageReader("SCAN", (".scan",), read, ((0, b"SCAN"),), order)


@pytest.fixture(autouse=True)
def readers():
    before = images.installed_readers()
    images.install_readers([installed()])
    yield
    images.install_readers(before)


@pytest.fixture
def scans(tmp_path):
    for number in range(7):
        (tmp_path / f"{number}").write_bytes(b"SCAN%d" % number)
    (tmp_path / "notes.txt").write_text("no scan")
    (tmp_path / "below").mkdir()
    return [tmp_path / f"{number}" for number in range(7)]


def test_a_folder_holds_its_series_the_largest_first(tmp_path, scans):
    """By their first bytes, without a suffix; what is no scan is left out."""
    assert images.series_in(tmp_path) == [scans[6::-2], scans[5::-2]]
    assert images.series_in(tmp_path / "below") == []


def test_named_files_are_put_in_order_when_all_are_scans(tmp_path, scans):
    assert images.in_order(scans[:4]) == [scans[2], scans[0], scans[3], scans[1]]
    mixed = [scans[0], tmp_path / "notes.txt", scans[1]]
    assert images.in_order(mixed) == mixed
    assert images.in_order([scans[0], tmp_path / "gone"]) == [scans[0], tmp_path / "gone"]


@pytest.mark.parametrize(
    "wrong", [lambda paths: [paths, paths], lambda paths: 1 / 0, lambda _: None]
)
def test_a_reader_that_fails_in_it_is_told(scans, wrong):
    images.install_readers([installed(wrong)])
    with pytest.raises(ImageError, match="SCAN files cannot be put into order"):
        images.in_order(scans)


def test_what_a_reader_leaves_out_of_its_series_comes_last(scans):
    """A file that is no image is not part of a scan; opening it will say what it is."""
    images.install_readers([installed(lambda paths: [paths[1:]])])
    assert images.in_order(scans) == [*scans[1:], scans[0]]


def test_a_readers_own_error_gets_the_name_of_the_file(tmp_path):
    path = tmp_path / "a.scan"
    path.write_bytes(b"SCANbad")
    with pytest.raises(NotAnImageError) as caught:
        images.open_image(path)
    assert caught.value.body == f"{path} is bad."


def test_inverted_values_are_shown_inverted_whoever_windows_them(tmp_path):
    path = tmp_path / "a.scan"
    path.write_bytes(b"SCAN-50")
    assert images.open_image(path).image.getpixel((0, 0)) == (254,) * 3  # 255 - 0.005 * 255
    wide = images.Preparation("wide", lambda image, facts: windowed(image, -50, 3))
    assert images.open_image(path, preparation=wide).image.getpixel((0, 0)) == (64,) * 3
    assert images.inspect(path).notes == ()
