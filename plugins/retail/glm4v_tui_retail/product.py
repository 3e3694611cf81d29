"""What is read off a package, and what can be set for it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Text = Annotated[str, msgspec.Meta(max_length=80)]
Short = Annotated[str, msgspec.Meta(max_length=24)]
Ingredient = Annotated[str, msgspec.Meta(max_length=40)]


class Product(msgspec.Struct, frozen=True):
    """The embedded model was trained to write the first six fields, in this order."""

    brand: Text | None
    name: Text | None
    price: Short | None
    weight: Short | None
    category: Text | None
    material: Text | None
    """Of the package."""
    ingredients: Annotated[list[Ingredient], msgspec.Meta(max_length=20)] | None = None
    audience: Text | None = None
    """For whom it is: children, athletes."""
    promotion: Text | None = None
    price_range: Literal["budget", "mid", "premium"] | None = None


class RetailOptions(msgspec.Struct, frozen=True):
    """``[tasks.retail]``."""

    codes: bool = True
    """Look for barcodes and QR codes first."""
