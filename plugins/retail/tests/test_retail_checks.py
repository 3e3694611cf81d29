"""Codes against the reading: what contradicts is told, what may be true is not."""

from decimal import Decimal

import pytest
from glm4v_tui_retail.checks import disagreements, is_restricted
from glm4v_tui_retail.codes import Code
from glm4v_tui_retail.printed import amount_of, coded_grams, coded_price, grams_of, long_numbers
from glm4v_tui_retail.product import Product

CORNERS = ((0, 0), (9, 0), (9, 9), (0, 9))
EAN = Code("EAN-13", "4006381333931", True, CORNERS)
CASE = Code("ITF-14", "14006381333938", True, CORNERS)
OTHER = Code("EAN-8", "96385074", True, CORNERS)
DAMAGED = Code("EAN-13", "4006381333932", False, CORNERS)
SCALES = Code("Data Matrix", "(01)04006381333931(3103)000195(3922)349", None, CORNERS, True)
QR = Code("QR Code", "https://example.com/01/04006381333931", None, CORNERS)


def told(*codes, **fields):
    six = dict.fromkeys(("brand", "name", "price", "weight", "category", "material"))
    return list(disagreements(Product(**{**six, **fields}), codes))


@pytest.mark.parametrize(
    ("codes", "fields"),
    [
        ([], {"name": "4006381333931"}),  # nothing to hold it against
        ([EAN, QR], {"name": "Pens 4006381333931"}),
        ([EAN], {"promotion": "4 006381 333931"}),  # as it is printed under the bars
        ([EAN, QR], {"name": "04006381333931"}),
        ([EAN], {"promotion": "until 31.12.2026", "weight": "250 g"}),
        ([EAN], {"promotion": "call 0800 1234567"}),  # of another length
        ([EAN, CASE], {}),  # a case of the same article
        ([QR], {"name": "4006381333932"}),  # the address is no article number
        ([SCALES], {"price": "$3.49", "weight": "195 g"}),
        ([SCALES], {"price": "3,49 €", "weight": "0.195 kg"}),
        ([SCALES], {"weight": "6.9 oz"}),  # rounded for print
        ([SCALES], {"price": "2 for $6", "weight": "330 ml"}),  # no one amount, no mass
        ([SCALES], {}),
    ],
)
def test_nothing_is_said_of_what_may_be_true(codes, fields):
    assert told(*codes, **fields) == []


@pytest.mark.parametrize(
    ("codes", "fields", "says"),
    [
        ([EAN], {"name": "Pens 4006381333932"}, "name has the number 4006381333932"),
        ([EAN], {"ingredients": ["4006381 333948"]}, "number 4006381333948"),
        ([DAMAGED], {}, "check digit of EAN-13 4006381333932 is wrong"),
        ([EAN, OTHER], {}, "2 articles"),
        ([SCALES], {"price": "$3.99"}, "read as $3.99, the Data Matrix says 3.49"),
        ([SCALES], {"weight": "250 g"}, "read as 250 g, the Data Matrix says 195 g"),
    ],
)
def test_a_disagreement_is_told_with_both_sides(codes, fields, says):
    (problem,) = told(*codes, **fields)
    assert says in problem


@pytest.mark.parametrize(
    ("code", "restricted"),
    [
        (Code("EAN-13", "2212345001231", True, CORNERS), True),
        (Code("EAN-13", "2912345001230", True, CORNERS), True),
        (Code("UPC-A", "212345001233", True, CORNERS), True),  # number system 2: prefix 02
        (EAN, False),
        (OTHER, False),
        (Code("EAN-13", "3012345001236", True, CORNERS), False),
        (Code("EAN-13", "2212345001230", False, CORNERS), False),  # not even read well
    ],
)
def test_numbers_of_stores_are_known_by_their_prefix(code, restricted):
    assert is_restricted(code) is restricted


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("$7.25", "7.25"), ("€ 3,49", "3.49"), ("1.299,00 €", "1299.00"), ("£1,299.00", "1299.00"),
        ("¥1,299", "1299"), ("12", "12"), ("1 299,50 kr", "1299.50"), ("$5.", "5"),
        ("free", None), ("", None), ("2 for $6", None), ("$1.99/kg $3.49", None),
        ("1234,567", None),
    ],
)  # fmt: skip
def test_prices_are_read_with_any_separators(text, amount):
    assert amount_of(text) == (None if amount is None else Decimal(amount))


@pytest.mark.parametrize(
    ("text", "grams"),
    [
        ("250 g", "250"), ("1kg", "1000"), ("0,5 kg", "500"), ("1.5 KG", "1500"), ("50 mg", "0.05"),
        ("1 lb", "453.59237"), ("330 ml", None), ("6 x 25 g", "25"), ("250 g (8.8 oz)", None),
        ("12 eggs", None), ("", None), ("0.195 kg", "195"), ("1.250 kg", None), ("1,250 g", None),
    ],
)  # fmt: skip
def test_weights_are_read_in_grams(text, grams):
    assert grams_of(text) == (None if grams is None else Decimal(grams))


def test_coded_amounts_have_the_decimals_that_their_identifier_says():
    assert coded_price({"3922": "349"}) == Decimal("3.49")
    assert coded_price({"3932": "978349"}) == Decimal("3.49")  # ISO 4217's 978 is the euro
    assert coded_price({"3920": "349"}) == 349
    assert coded_grams({"3103": "000195"}) == 195
    assert coded_grams({"3100": "000002"}) == 2000
    assert (coded_price({"01": "04006381333931"}), coded_grams({"310": "1"})) == (None, None)
    assert (coded_price({"3922": "x"}), coded_price({"3932": "97"})) == (None, None)


def test_long_numbers_are_those_of_8_to_14_digits():
    text = "a 1234567 b 12345678 c 4-006381-333931 d 123456789012345 e"
    assert list(long_numbers(text)) == ["12345678", "4006381333931"]
