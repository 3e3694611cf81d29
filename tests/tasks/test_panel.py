"""Boxes in pixels, results as panels, panels as text."""

import random

import pytest

from glm4v_tui.chat import Box
from glm4v_tui.demo.scenes.canvas import Canvas, Look, box_of
from glm4v_tui.demo.scenes.colours import palettes
from glm4v_tui.tasks.panel import Badge, Panel, Row, Table, Tone, pixel_box, plain_panel
from glm4v_tui.tasks.text import panel_lines

SIZES = [(1, 1), (1, 7), (3, 2), (640, 480), (999, 1000), (1001, 333), (12000, 9000)]


def boxes(seed, count=300):
    rng = random.Random(seed)
    for _ in range(count):
        yield [rng.randint(0, 999) for _ in range(4)]


# Boxes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_box_is_never_empty_and_lies_in_the_picture(width, height):
    for box in [*boxes(width), [0, 0, 0, 0], [999, 999, 999, 999], [0, 0, 999, 999]]:
        found = pixel_box(box, width, height)
        assert 0 <= found.left < found.right <= width
        assert 0 <= found.top < found.bottom <= height


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_order_of_the_corners_does_not_matter(width, height):
    for x1, y1, x2, y2 in boxes(height, 50):
        orders = {
            pixel_box(box, width, height)
            for box in ([x1, y1, x2, y2], [x2, y2, x1, y1], [x1, y2, x2, y1], [x2, y1, x1, y2])
        }
        assert len(orders) == 1


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_whole_grid_is_the_whole_picture(width, height):
    assert pixel_box([0, 0, 999, 999], width, height) == Box(0, 0, width, height)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_box_holds_what_it_was_written_for_and_little_more(width, height):
    """Against the scenes that models are trained with: floor(share * 1000)."""
    rng = random.Random(width + height)
    canvas = Canvas(rng, width, height, Look(palettes()[0]))
    for _ in range(300):
        (left, right), (top, bottom) = (
            sorted((rng.uniform(0, side), rng.uniform(0, side))) for side in (width, height)
        )
        found = pixel_box(box_of((left, top, right, bottom), canvas), width, height)
        assert found.left <= left
        assert found.top <= top
        assert found.right >= right
        assert found.bottom >= bottom
        slack_x, slack_y = width / 1000 + 1, height / 1000 + 1
        assert left - found.left <= slack_x
        assert top - found.top <= slack_y
        assert found.right - right <= slack_x
        assert found.bottom - bottom <= slack_y


@pytest.mark.parametrize("box", [[-5, -5, 1200, 1200], [0.5, 0.5, 998.7, 999.9]])
def test_what_lies_outside_or_between_is_cut_to_the_picture(box):
    assert pixel_box(box, 100, 50) == Box(0, 0, 100, 50)


@pytest.mark.parametrize("box", [[], [1, 2, 3], [1, 2, 3, 4, 5]])
def test_a_box_has_four_numbers(box):
    with pytest.raises(ValueError, match="four numbers"):
        pixel_box(box, 10, 10)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_box_has_no_endless_numbers(number):
    with pytest.raises(ValueError, match="finite"):
        pixel_box([0, 0, number, 5], 10, 10)


# Panels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ({}, ()),
        (None, (Row("Result", "–"),)),
        ([], (Row("Result", "none"),)),
        (True, (Row("Result", "yes"),)),
        (3.25, (Row("Result", "3.25"),)),
        ("text", (Row("Result", "text"),)),
        ({"is_new": False, "net_weight": 5}, (Row("Is new", "no"), Row("Net weight", "5"))),
        ({"tags": ["a", 1, None]}, (Row("Tags", "a, 1, –"),)),
        ({"part": {"name": "x", "sizes": [1, 2]}}, (Row("Part", "name x, sizes 1, 2"),)),
        (
            {"flaws": [{"kind": "a"}, {"size": 2, "kind": "b"}]},
            (Table("Flaws", ("Kind", "Size"), (("a", "–"), ("b", "2"))),),
        ),
        ({"mixed": [1, {"a": 2}]}, (Row("Mixed", "1, a 2"),)),
        ({"": ""}, (Row("", ""),)),
        ({"empty": [{}, {}]}, (Row("Empty", "2"),)),
    ],
)
def test_any_value_has_a_panel(value, parts):
    assert plain_panel(value) == Panel(parts=parts)


def test_a_panel_is_read_line_by_line():
    panel = Panel(
        (Badge("fail", Tone.BAD), Badge("grade 3", Tone.WARN), Badge("new")),
        (
            Row("Product", "flange"),
            Row("名称", "法兰", Tone.GOOD),
            Table("Flaws", ("Kind", "地点"), (("scratch", "左边"), ("划痕", "x"))),
            Table("Notes", ("Note",), ()),
        ),
        ("Looked twice.",),
    )
    assert list(panel_lines(panel)) == [
        "[!! fail]  [! grade 3]  [new]",
        "Product  flange",
        "名称     + 法兰",
        "Flaws:",
        "  Kind     地点",
        "  scratch  左边",
        "  划痕     x",
        "Notes: none",
        "Looked twice.",
    ]


def test_nothing_of_a_panel_moves_the_cursor():
    bad = "a\x1b[31m\x07\x9b2J\r\nb\u202e"
    panel = Panel(
        (Badge(bad),), (Row(bad, bad), Table(bad, (bad,), ((bad,),)), Table(bad, (), ())), (bad,)
    )
    text = "\n".join(panel_lines(panel))
    assert not set(text) & set("\x1b\x07\x9b\r\u202e")
    assert all("a b" in line for line in text.split("\n"))


def test_letters_that_take_no_column_are_not_counted():
    table = Table("T", ("x", "y"), (("e\u0301", "1"), ("ab", "2")))
    assert list(panel_lines(Panel(parts=(table,))))[2:] == ["  e\u0301   1", "  ab  2"]
