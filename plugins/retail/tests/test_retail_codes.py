"""Codes in pictures: found where they are, told as what they are."""

import time

import pytest
from drawn_codes import PHOTO, code, ean13, noisy, on_paper, photo
from glm4v_tui_retail.codes import Code, codes_of, read_codes
from glm4v_tui_retail.task import RetailTask
from PIL import Image

from glm4v_tui import Facts

NUMBER = "4006381333931"


@pytest.mark.parametrize(
    ("drawn", "name", "text", "check", "number"),
    [
        (("400638133393", "EAN13"), "EAN-13", NUMBER, True, "04006381333931"),
        (("9638507", "EAN8"), "EAN-8", "96385074", True, "00000096385074"),
        (("03600029145", "UPCA"), "UPC-A", "036000291452", True, "00036000291452"),
        (("0425261", "UPCE"), "UPC-E", "04252614", True, "00042100005264"),
        (("1540014128876", "ITF14"), "ITF-14", "15400141288763", True, "15400141288763"),
        (("ABC-123", "Code128"), "Code 128", "ABC-123", None, None),
        (("https://example.com/a", "QRCode"), "QR Code", "https://example.com/a", None, None),
        (("lot 7", "DataMatrix"), "Data Matrix", "lot 7", None, None),
    ],
)
def test_every_format_is_told_with_its_check_digit(drawn, name, text, check, number):
    (found,) = read_codes(code(*drawn))
    assert (found.format, found.text, found.check, found.number) == (name, text, check, number)


def test_a_gs1_code_is_told_with_its_identifiers():
    text = "(01)04006381333931(3103)000195(3922)349"
    (found,) = read_codes(code(text, "DataMatrix", scale=6, gs1=True))
    assert (found.text, found.is_gs1) == (text, True)


def test_a_wrong_check_digit_is_found_and_told():
    (found,) = read_codes(ean13("4006381333932"))
    assert (found.text, found.check, found.number) == ("4006381333932", False, None)


def test_corners_are_in_pixels_of_the_picture():
    drawn = ean13(NUMBER)  # its bars: 33 to 317 across, 20 to 140 down
    (found,) = read_codes(on_paper((drawn, (200, 100))))
    assert_corners(found, (233, 120, 517, 240), 4)


def assert_corners(found, box, slack):
    left, top, right, bottom = box
    expected = ((left, top), (right, top), (right, bottom), (left, bottom))
    for (x, y), (wanted_x, wanted_y) in zip(found.corners, expected, strict=True):
        assert abs(x - wanted_x) <= slack
        assert abs(y - wanted_y) <= slack


@pytest.mark.parametrize("angle", [13, 90, 180, -13])
def test_a_turned_and_noisy_code_is_read(angle):
    turned = ean13(NUMBER).rotate(angle, Image.Resampling.BICUBIC, True, fillcolor="white")
    for seed in range(8):  # in some, lines that leave the code halfway read other numbers
        (found,) = read_codes(noisy(on_paper((turned, (150, 80))), 20, seed))
        assert (found.text, found.check) == (NUMBER, True)


@pytest.mark.parametrize(("module", "slack"), [(2, 6), (6, 12)])
def test_a_code_in_a_large_photo_is_found_where_it_is(module, slack):
    """A small one only at full size, a large one at 1600 pixels already."""
    scene = photo()
    scene.paste(ean13(NUMBER, module), (1700, 1500))
    (found,) = read_codes(scene)
    assert (found.text, found.check) == (NUMBER, True)
    left = 1700 + 11 * module
    assert_corners(found, (left, 1520, left + 95 * module, 1640), slack)


def test_several_codes_come_from_the_top_down_each_once():
    lower, upper = ean13(NUMBER), code("https://example.com", "QRCode", scale=4)
    again = ean13(NUMBER, height=60)
    page = on_paper((lower, (20, 300)), (upper, (300, 20)), (again, (420, 480)))
    assert [found.format for found in read_codes(page)] == ["QR Code", "EAN-13"]


def test_a_qr_code_found_first_does_not_hide_a_small_number():
    """The first pass sees the large QR code only."""
    scene = photo()
    scene.paste(code("https://example.com", "QRCode", scale=20), (200, 200))
    scene.paste(ean13(NUMBER, 2), (2400, 2200))
    assert [found.text for found in read_codes(scene)] == ["https://example.com", NUMBER]


def test_a_picture_without_a_code_takes_little_time():
    """A fifth of a second; the processor's own time, since other programs may run."""
    scene = photo()
    assert scene.size == PHOTO
    started = time.process_time()
    assert read_codes(scene) == []
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (7000, 2), (1600, 1600), (1601, 3)])
def test_odd_sizes_are_searched_too(size):
    assert read_codes(Image.new("RGB", size, "white")) == []


def test_a_text_with_terminal_sequences_is_made_safe():
    (found,) = read_codes(code("buy\x1b]52;c;ZXZpbA==\x07 now\x1b[31m!\r\nmore", "QRCode", scale=4))
    assert found.text == "buy now!\nmore"


def test_a_long_text_is_cut():
    (found,) = read_codes(code("x" * 1500, "QRCode", scale=3))
    assert found.text == "x" * 500


def test_codes_are_facts_that_survive_a_file():
    picture = ean13(NUMBER)
    values = RetailTask().examine(picture, Facts(*picture.size, "PNG"), RetailTask.options_type())
    facts = Facts(*picture.size, "PNG", dict(values))
    assert [found.text for found in codes_of(facts)] == [NUMBER]
    assert isinstance(codes_of(facts)[0], Code)
    assert codes_of(Facts(1, 1, "PNG")) is None
