"""Check digits, against published numbers and against zxing-cpp's own arithmetic."""

import random

import pytest
import zxingcpp
from drawn_codes import code
from glm4v_tui_retail.check_digit import check_digit, expanded_upc_e, is_valid, is_valid_upc_e

PUBLISHED = ("6291041500213", "4006381333931", "96385074", "036000291452", "15400141288763")
"""GS1's own example of the calculation first."""


@pytest.mark.parametrize("number", PUBLISHED)
def test_published_numbers_are_valid_and_their_neighbors_are_not(number):
    assert is_valid(number)
    for wrong in set("0123456789") - {number[-1]}:
        assert not is_valid(number[:-1] + wrong)


@pytest.mark.parametrize("digits", [7, 11, 12])
def test_the_check_digit_is_that_of_another_implementation(digits):
    rng = random.Random(digits)
    kind = {7: "EAN8", 11: "UPCA", 12: "EAN13"}[digits]
    for _ in range(50):
        number = "".join(rng.choices("0123456789", k=digits))
        made = zxingcpp.create_barcode(number, getattr(zxingcpp.BarcodeFormat, kind))
        assert int(made.text[-1]) == check_digit(number)


def test_a_upc_e_stands_for_the_number_that_another_implementation_says():
    rng = random.Random(1)
    for last in "0123456789" * 5:
        body = "0" + "".join(rng.choices("123456789", k=5)) + last
        (read,) = zxingcpp.read_barcodes(code(body, "UPCE"))
        number = read.extra["UPCE"]
        assert expanded_upc_e(number).zfill(13) == read.text
        assert is_valid_upc_e(number)
        assert not is_valid_upc_e(number[:-1] + str((int(number[-1]) + 1) % 10))


@pytest.mark.parametrize("text", ["", "4006381333", "400638133393\uff11", "40063813339a1", "²" * 8])
def test_what_is_no_number_is_not_valid(text):
    assert not is_valid(text)
    assert not is_valid_upc_e(text)
