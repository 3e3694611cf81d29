"""Prices, weights and numbers, as they are printed and as codes hold them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_AMOUNT = re.compile(r"\d[\d.,'’ ]*\d|\d")
_GRAMS = {
    "kg": Decimal(1000), "g": Decimal(1), "mg": Decimal("0.001"),
    "lb": Decimal("453.59237"), "lbs": Decimal("453.59237"), "oz": Decimal("28.349523125"),
}  # fmt: skip
"""International avoirdupois pound and ounce of 1959."""
_WEIGHT = re.compile(rf"(\d[\d.,]*)\s*({'|'.join(_GRAMS)})\b", re.IGNORECASE)
_ELEMENT = re.compile(r"\((\d{2,4})\)([^(]*)")
_LONG_NUMBER = re.compile(r"(?<![\d])\d(?:[ -]?\d){7,13}(?![\d])")


def amount_of(price: str) -> Decimal | None:
    """The one amount in a printed price; None where there is none, or several."""
    found = _AMOUNT.findall(price)
    return _decimal(found[0], is_price=True) if len(found) == 1 else None


def grams_of(weight: str) -> Decimal | None:
    """The one mass in a printed weight; None for volumes, counts and several."""
    found = _WEIGHT.findall(weight)
    if len(found) != 1:
        return None
    number, unit = found[0]
    value = _decimal(number, is_price=False)
    return None if value is None else value * _GRAMS[unit.lower()]


def _decimal(text: str, *, is_price: bool) -> Decimal | None:
    """A number with any separators: ``1.299,00``, ``1,299.00``, ``3,49``, ``1 299``.

    The last separator begins the decimals. Where three digits follow the only one, it may also
    part thousands: in a price it does, elsewhere nobody can tell and there is None.
    """
    parts = re.split(r"[.,'’ ]", text.strip(".,'’ "))
    if not all(part.isdigit() for part in parts):
        return None
    if len(parts) == 1:
        return Decimal(parts[0])
    if len(parts[-1]) == 3 and parts[0].strip("0"):
        return Decimal("".join(parts)) if is_price and len(parts[0]) < 4 else None
    return Decimal("".join(parts[:-1]) + "." + parts[-1])


def element_strings(text: str) -> dict[str, str]:
    """What a GS1 code says by application identifier: ``(01)...(3103)...``."""
    return dict(_ELEMENT.findall(text))


def coded_price(elements: dict[str, str]) -> Decimal | None:
    """The amount payable: AI 392n, or 393n after three digits of currency; n decimals (GS1 General
    Specifications, section 3).
    """
    for identifier, value in elements.items():
        if len(identifier) == 4 and identifier[:3] in {"392", "393"}:
            digits = value[3:] if identifier[:3] == "393" else value
            return _scaled(digits, identifier[3])
    return None


def coded_grams(elements: dict[str, str]) -> Decimal | None:
    """The net weight: AI 310n in kilograms, n decimals (GS1 General Specifications, section 3)."""
    for identifier, value in elements.items():
        if len(identifier) == 4 and identifier.startswith("310"):
            kilograms = _scaled(value, identifier[3])
            return None if kilograms is None else kilograms * 1000
    return None


def _scaled(digits: str, decimals: str) -> Decimal | None:
    if not (digits.isascii() and digits.isdigit()):
        return None
    return Decimal(digits).scaleb(-int(decimals))


def long_numbers(text: str) -> Iterator[str]:
    """Numbers of 8 to 14 digits, also where blanks or dashes group them, as under a barcode."""
    for found in _LONG_NUMBER.findall(text):
        yield re.sub(r"\D", "", found)
