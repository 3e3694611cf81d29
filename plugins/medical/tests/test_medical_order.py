"""Slices in the order of the scan, whatever their files are called."""

import random
import time

import numpy as np
import pytest
from medical_files import ct, saved

from glm4v_tui import images

SMALL = np.zeros((2, 2), np.int16)
AXIAL, SAGITTAL = [1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1]
OBLIQUE = [0.8, 0.6, 0, 0, 0, -1]


def scan(folder, positions, orientation=AXIAL, series="1.2.3", **more):
    """A slice for each position, with names and instance numbers that tell nothing."""
    names = list(range(len(positions)))
    random.Random(7).shuffle(names)
    return [
        saved(
            folder / f"{series} {orientation[0]} {name}.dcm",
            ct(SMALL, ImagePositionPatient=list(map(float, position)), SeriesInstanceUID=series,
               ImageOrientationPatient=orientation, InstanceNumber=name, **more),
        )
        for name, position in zip(names, positions, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("orientation", "step"),
    [(AXIAL, (0, 0, 2.5)), (SAGITTAL, (-3, 0, 0)), (OBLIQUE, (-0.6, 0.8, 0))],
)
def test_slices_are_ordered_along_their_normal(tmp_path, orientation, step):
    """The planes are at home far from the origin, and move in themselves from slice to slice."""
    along = np.array(orientation[:3])
    draw = np.random.default_rng(3)
    positions = [np.array([100, -50, 30]) + at * np.array(step) + along * draw.uniform(-9, 9)
                 for at in range(12)]  # fmt: skip
    expected = scan(tmp_path, [place.round(4) for place in positions], orientation)
    shuffled = random.Random(1).sample(expected, len(expected))
    assert images.in_order(shuffled) == expected


def test_without_positions_the_numbers_count_then_the_names(tmp_path):
    numbered = [saved(tmp_path / f"{9 - at}.dcm", ct(SMALL, InstanceNumber=at)) for at in range(9)]
    assert images.in_order(numbered[::-1]) == numbered
    named = [saved(tmp_path / f"im {at}.dcm", ct(SMALL)) for at in (2, 10, 100)]
    assert images.in_order(named[::-1]) == named


def test_series_stand_together_and_a_localizer_by_itself(tmp_path, reader):
    first = scan(tmp_path, [(0, 0, at) for at in range(4)], SeriesNumber=2)
    second = scan(tmp_path, [(0, 0, at) for at in range(3)], series="1.2.9", SeriesNumber=1)
    scout = scan(tmp_path, [(0, 0, 0)], SAGITTAL, "1.2.9", SeriesNumber=1)
    paths = random.Random(1).sample([*first, *second, *scout], 8)
    assert sorted(reader.order(paths), key=len) == [scout, second, first]
    assert reader.order(paths)[-1] == first
    assert images.series_in(tmp_path) == [first, second, scout]


def test_what_holds_no_image_is_no_slice(tmp_path, reader):
    """A DICOMDIR lies beside the slices on every CD."""
    slices = scan(tmp_path, [(0, 0, at) for at in range(3)])
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(bytes(128) + b"DICM" + b"\xff" * 50)
    gone = tmp_path / "gone.dcm"
    assert reader.order([gone, slices[1], broken, *slices]) == [
        [slices[0], slices[1], slices[1], slices[2]],
    ]


def test_hundreds_of_slices_are_ordered_without_their_pixels(tmp_path, monkeypatch):
    big = np.zeros((512, 512), np.int16)
    places = list(range(300))
    random.Random(2).shuffle(places)
    template = ct(big, ImageOrientationPatient=AXIAL, ImagePositionPatient=[0, 0, 0])
    for name, place in enumerate(places):
        template.ImagePositionPatient = [0, 0, place]
        saved(tmp_path / f"{name}.dcm", template)
    paths = sorted(tmp_path.iterdir())

    def never(*_, **__):
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr("pydicom.pixels.pixel_array", never)
    started = time.perf_counter()
    ordered = images.in_order(paths)
    assert time.perf_counter() - started < 10
    assert [places[int(path.stem)] for path in ordered] == list(range(300))
