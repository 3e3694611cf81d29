"""Check digits of article numbers: GS1 General Specifications, section 7.9, "Check digit
calculations".
"""

from __future__ import annotations

GTIN_LENGTHS = frozenset({8, 12, 13, 14})
"""Digits of an EAN-8, a UPC-A, an EAN-13 and an ITF-14."""


def check_digit(digits: str) -> int:
    """The check digit of a number that lacks it.

    From the right the digits are weighted 3, 1, 3, 1, ...; the check digit makes their sum a
    multiple of ten.
    """
    total = sum(int(digit) * (3, 1)[at % 2] for at, digit in enumerate(reversed(digits)))
    return -total % 10


def is_valid(number: str) -> bool:
    """Whether this is a whole article number with its right check digit."""
    digits = number.isascii() and number.isdigit() and len(number) in GTIN_LENGTHS
    return digits and check_digit(number[:-1]) == int(number[-1])


def is_valid_upc_e(number: str) -> bool:
    """Whether these are the eight digits of a UPC-E with their right check digit, which is that
    of the UPC-A behind it.
    """
    try:
        return is_valid(expanded_upc_e(number))
    except ValueError:
        return False


def expanded_upc_e(number: str) -> str:
    """The UPC-A whose zeros a UPC-E leaves out (GS1 General Specifications, "UPC-E barcode").

    Args:
        number: Eight digits: number system 0 or 1, six digits, check digit.

    Raises:
        ValueError: not eight digits of that kind.
    """
    if len(number) != 8 or not (number.isascii() and number.isdigit()) or number[0] not in "01":
        raise ValueError(f"{number!r} is no UPC-E")
    system, body, check = number[0], number[1:7], number[7]
    last = body[5]
    match last:
        case "0" | "1" | "2":
            whole = f"{body[:2]}{last}0000{body[2:5]}"
        case "3":
            whole = f"{body[:3]}00000{body[3:5]}"
        case "4":
            whole = f"{body[:4]}00000{body[4]}"
        case _:
            whole = f"{body[:5]}0000{last}"
    return f"{system}{whole}{check}"
