"""Numbered boxes over a picture: where, in which color, and what they leave alone."""

import numpy as np
import pytest
from rich.style import Style
from textual.geometry import Spacing

from glm4v_tui.chat import Box
from glm4v_tui.tasks.panel import Region, Tone
from glm4v_tui.ui.canvas import Canvas
from glm4v_tui.ui.halfblock import ColorDepth, Margin, Outline, outlined, paint
from glm4v_tui.ui.paintings import Order, Painting, Space, _strips
from glm4v_tui.ui.region_marks import Mark, marks_of

RED = (200, 30, 30)
CODE = 0xC81E1E
GREY = np.full((20, 30, 3), 90, np.uint8)


def painting(image=(300, 200), crop=None, **changes):
    """30 columns by 10 rows of grey, one cell of margin at the left and above."""
    space = Space(31, 11, Spacing(1, 0, 0, 1), "left", "top", 2.0, Style(), ColorDepth.TRUECOLOR)
    order = Order("a.png", crop, space)
    from textual.geometry import Region as Cells

    region = Cells(1, 1, 30, 10)
    strips = _strips(GREY, order, region)
    return Painting(order, strips, [0] * len(strips), region, image, **changes)


def halves(canvas):
    return np.concatenate([row.cells for row in canvas.rows[1:]])


def mark(box, label="1"):
    return Mark(Box(*box), label, RED)


def test_an_outline_is_a_pixel_thick_at_every_side():
    canvas = Canvas()
    canvas.put(painting())
    rows, size = canvas.set_marks([mark((50, 40, 201, 160))])
    assert size > 0
    assert rows == list(range(1 + 2, 1 + 8))
    cells = halves(canvas)
    red = cells == CODE
    assert red[5:16, 5].all()  # the cell above has the label
    assert red[4:16, 19].all()
    assert red[4, 6:20].all()
    assert red[15, 5:20].all()
    assert not red[5:15, 6:19].any()


def test_taking_marks_away_brings_the_picture_back():
    canvas = Canvas()
    canvas.put(painting())
    canvas.set_marks([mark((50, 40, 201, 160))])
    canvas.set_marks(())
    assert (halves(canvas) == 0x5A5A5A).all()
    assert not any(row.letters for row in canvas.rows[1:])


def test_equal_marks_cost_nothing():
    canvas = Canvas()
    canvas.put(painting())
    canvas.set_marks([mark((50, 40, 201, 160))])
    assert canvas.set_marks([mark((50, 40, 201, 160))]) == ([], 0)


def test_marks_stay_when_a_finer_picture_comes():
    canvas = Canvas()
    canvas.set_marks([mark((50, 40, 201, 160))])
    canvas.put(painting())
    canvas.put_rows(painting(), range(1, 11))
    assert (halves(canvas) == CODE).any()


def test_a_part_of_the_image_shows_its_part_of_the_boxes():
    canvas = Canvas()
    canvas.put(painting(crop=Box(150, 100, 300, 200)))
    canvas.set_marks([mark((0, 0, 100, 90)), mark((200, 120, 400, 300), "2")])
    assert {letter for row in canvas.rows[1:] for letter in row.letters.values()} == {"2"}


def test_a_picture_of_another_shape_has_no_boxes():
    canvas = Canvas()
    canvas.put(painting(is_reshaped=True))
    canvas.set_marks([mark((50, 40, 201, 160))])
    assert (halves(canvas) == 0x5A5A5A).all()


def test_labels_do_not_cover_one_another():
    canvas = Canvas()
    canvas.put(painting())
    canvas.set_marks([mark((50, 40, 201, 160), str(number)) for number in range(1, 5)])
    letters = [letter for row in canvas.rows[1:] for letter in row.letters.values()]
    assert sorted(letters) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (299, 199, 300, 200), (0, 0, 300, 200)])
def test_boxes_at_the_borders_and_of_a_pixel_are_seen(box):
    canvas = Canvas()
    canvas.put(painting())
    canvas.set_marks([mark(box, "12")])
    assert (halves(canvas) == CODE).sum() > 3
    letters = "".join(
        letter for row in canvas.rows[1:] for _, letter in sorted(row.letters.items())
    )
    assert letters == "12"


def test_the_label_is_readable_on_bright_and_dark_colors():
    for color, front in (((250, 240, 80), 0x000000), ((120, 0, 0), 0xFFFFFF)):
        strip = paint(GREY[:2], ColorDepth.TRUECOLOR, Margin(0, 0, Style()))[0]
        drawn = outlined(strip, 0, [Outline(2, 0, 9, 2, color, "7", (2, 0))])
        assert drawn.letters == {2: "7"}
        assert drawn.cells[0, 2] == front
        assert "7" in drawn.output
        assert "7" in drawn.text, "dialogs and screenshots see it, too"


@pytest.mark.parametrize("depth", [ColorDepth.PALETTE, ColorDepth.ANSI])
def test_other_depths_take_their_nearest_color(depth):
    strip = paint(GREY[:2], depth, Margin(0, 0, Style()))[0]
    drawn = outlined(strip, 0, [Outline(2, 0, 9, 2, (255, 0, 0), "1", (2, 0))])
    assert drawn.cells[0, 5] == (196 if depth is ColorDepth.PALETTE else 9)


def test_regions_of_a_part_are_placed_in_the_whole_image():
    regions = [Region(Box(1, 2, 3, 4), "hole", Tone.BAD), Region(Box(0, 0, 9, 9), "a\nb")]
    marks = marks_of(regions, Box(100, 200, 300, 400), {"bad": RED, "plain": (1, 2, 3)})
    assert [mark.box for mark in marks] == [Box(101, 202, 103, 204), Box(100, 200, 109, 209)]
    assert [(mark.label, mark.color, mark.name) for mark in marks] == [
        ("1", RED, "hole"), ("2", (1, 2, 3), "a b")
    ]  # fmt: skip
