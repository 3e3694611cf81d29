"""Zoom and pan: the visible part stays inside of the image and keeps its middle."""

import pytest

from glm4v_tui.chat import Box
from glm4v_tui.ui.viewport import (
    CLOSEST,
    Viewport,
    first_frame,
    moved_frame,
    resized_frame,
)

PHOTO = Box(0, 0, 4000, 3000)


def view(bounds: Box = PHOTO, cells: tuple[int, int] = (100, 38)) -> Viewport:
    return Viewport(bounds, cells)


def test_at_first_all_is_visible():
    assert view().region == PHOTO
    assert view().is_whole
    assert view().scale == pytest.approx(100 / 4000)


def test_zooming_in_keeps_the_middle_and_the_shape_of_the_screen():
    close = view().zoomed_to(0.5)
    region = close.region
    assert (region.width, region.height) == (200, 152)
    assert (region.left + region.right) / 2 == pytest.approx(2000, abs=1)
    assert not close.is_whole


def test_one_to_one_gives_each_pixel_half_a_cell():
    region = view().zoomed_to(1.0).region
    assert (region.width, region.height) == (100, 76)


def test_zooming_in_and_out_comes_back_to_all():
    there = view()
    for _ in range(40):
        there = there.zoomed_in()
    assert there.scale == CLOSEST
    assert there.region.width >= 1
    for _ in range(40):
        there = there.zoomed_out()
    assert there.zoom is None
    assert there.region == PHOTO


def test_panning_stops_at_the_edges_and_turns_at_once():
    there = view().zoomed_to(1.0)
    for _ in range(500):
        there = there.panned(1, 1)
    assert (there.region.right, there.region.bottom) == (4000, 3000)
    assert there.region.width == 100
    back = there.panned(-0.25, 0)
    assert back.region.left == there.region.left - 25


def test_a_view_of_a_part_never_leaves_it():
    part = Box(1000, 500, 1400, 900)
    there = view(part).zoomed_to(1.0)
    for step in ((-9, -9), (9, 9)):
        region = there.panned(*step).region
        assert part.left <= region.left
        assert part.top <= region.top
        assert region.right <= part.right
        assert region.bottom <= part.bottom


@pytest.mark.parametrize("bounds", [Box(0, 0, 1, 1), Box(0, 0, 1, 5000), Box(0, 0, 12000, 9000)])
def test_any_shape_can_be_zoomed(bounds):
    there = view(bounds)
    for _ in range(30):
        there = there.zoomed_in().panned(0.25, -0.25)
        region = there.region
        assert region.width >= 1
        assert region.height >= 1
        assert bounds.left <= region.left < region.right <= bounds.right
        assert bounds.top <= region.top < region.bottom <= bounds.bottom


def test_a_new_size_keeps_the_place():
    there = view().zoomed_to(1.0).panned(3, 2)
    smaller = there.in_cells((60, 18), 2.0)
    assert smaller.scale == 1.0
    assert smaller.region.width == 60
    middle = (there.region.left + there.region.right) / 2
    assert (smaller.region.left + smaller.region.right) / 2 == pytest.approx(middle, abs=1)


def test_cells_that_are_not_twice_as_high():
    region = Viewport(PHOTO, (100, 38), 1.5).zoomed_to(1.0).region
    assert (region.width, region.height) == (100, 57)


def test_a_frame_moves_and_grows_within_what_is_visible():
    frame = first_frame(PHOTO)
    assert frame == Box(1000, 750, 3000, 2250)
    assert moved_frame(frame, 10_000, -10_000, PHOTO) == Box(2000, 0, 4000, 1500)
    assert resized_frame(frame, -10_000, 10_000, PHOTO) == Box(1000, 750, 1001, 3000)
    tiny = first_frame(Box(0, 0, 1, 1))
    assert (tiny.width, tiny.height) == (1, 1)
