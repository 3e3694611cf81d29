"""What the codes on a package say, held against what the model has read."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui_retail.printed import (
    amount_of,
    coded_grams,
    coded_price,
    element_strings,
    grams_of,
    long_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glm4v_tui_retail.codes import Code
    from glm4v_tui_retail.product import Product

_ROUNDING = Decimal("0.02")
"""By this share a printed weight may differ from the coded one: ounces are printed rounded."""


def disagreements(result: Product, codes: Sequence[Code]) -> Iterator[str]:
    """Where codes contradict the reading, each other or themselves, in words."""
    for code in codes:
        if code.check is False:
            yield f"The check digit of {code.format} {code.text} is wrong: damaged or misread."
    yield from _several(codes)
    yield from _numbers(result, codes)
    for code in codes:
        if code.is_gs1:
            yield from _price(result, code)
            yield from _weight(result, code)


def is_restricted(code: Code) -> bool:
    """Whether a store or region gave this number: GS1 prefixes 02 and 20 to 29, restricted
    circulation numbers, which may hold a price or a weight (GS1 General Specifications, section 2).
    """
    number = code.number
    return number is not None and number[0] == "0" and (number[1] == "2" or number[1:3] == "02")


def articles(codes: Sequence[Code]) -> list[str]:
    """Article numbers as 14 digits, one for each article: a case of it is the same article."""
    numbers = {number[1:13]: number for code in codes if (number := code.number) is not None}
    return sorted(numbers.values())


def _several(codes: Sequence[Code]) -> Iterator[str]:
    found = articles(codes)
    if len(found) > 1:
        shown = ", ".join(number.lstrip("0") for number in found)
        yield f"The codes are of {len(found)} articles ({shown}); the reading is of one."


def _numbers(result: Product, codes: Sequence[Code]) -> Iterator[str]:
    """Numbers in the reading that look like those of the codes and are none of them."""
    owned = [code for code in codes if code.number is not None]
    lengths = {len(code.text) for code in owned}
    known = {number for code in owned if (number := code.number) is not None}
    known |= {number.zfill(14) for code in codes for number in long_numbers(code.text)}
    for name, text in _texts(result):
        for number in long_numbers(text):
            if len(number) in lengths and number.zfill(14) not in known:
                shown = ", ".join(code.text for code in owned)
                yield f"The {name} has the number {number}, the code says {shown}."


def _texts(result: Product) -> Iterator[tuple[str, str]]:
    for name, value in msgspec.structs.asdict(result).items():
        for text in value if isinstance(value, list) else [value]:
            if text is not None:
                yield name.replace("_", " "), text


def _price(result: Product, code: Code) -> Iterator[str]:
    coded = coded_price(element_strings(code.text))
    printed = amount_of(result.price or "")
    if coded is not None and printed is not None and coded != printed:
        yield f"The price was read as {result.price}, the {code.format} says {coded}."


def _weight(result: Product, code: Code) -> Iterator[str]:
    coded = coded_grams(element_strings(code.text))
    printed = grams_of(result.weight or "")
    if coded is None or printed is None:
        return
    if abs(coded - printed) > _ROUNDING * max(coded, printed):
        grams = f"{coded.normalize():f} g"
        yield f"The weight was read as {result.weight}, the {code.format} says {grams}."
