"""What an inspection says, and what can be set for it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from glm4v_tui import BoxField

Place = Literal[
    "top left", "top center", "top right",
    "middle left", "center", "middle right",
    "bottom left", "bottom center", "bottom right",
]  # fmt: skip
"""The nine equal fields of the picture, in rows."""

Kind = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class Defect(msgspec.Struct, frozen=True):
    type: Kind
    place: Place
    box: BoxField
    severity: Literal["minor", "moderate", "severe"]
    cause: Annotated[str, msgspec.Meta(max_length=80)] | None = None


class Inspection(msgspec.Struct, frozen=True):
    """The embedded model was trained to write these fields in this order, but for ``cause``."""

    product: Annotated[str, msgspec.Meta(max_length=60)]
    defects: Annotated[list[Defect], msgspec.Meta(max_length=8)]
    grade: Annotated[int, msgspec.Meta(ge=1, le=10)]


class DefectOptions(msgspec.Struct, frozen=True):
    """``[tasks.defect]``."""

    classes: tuple[Kind, ...] = ()
    """The types of defects to look for. Empty: any, in the model's own words."""
    passing_grade: Annotated[int, msgspec.Meta(ge=1, le=10)] = 7
    """The lowest grade that passes."""


def bound_form(classes: tuple[str, ...]) -> object:
    """The inspection with these types of defects and no others: a JSON Schema, or the type itself
    where there is nothing to bind.
    """
    if not classes:
        return Inspection
    schema = msgspec.json.schema(Inspection)
    schema["$defs"]["Defect"]["properties"]["type"] = {"enum": list(dict.fromkeys(classes))}
    return schema
