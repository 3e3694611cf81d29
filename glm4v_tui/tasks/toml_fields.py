"""The fields of a task file: what may be said of each, and the type that it means."""

from __future__ import annotations

import keyword
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from glm4v_tui.plain import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator

Thousandth = Annotated[int, msgspec.Meta(ge=0, le=999)]
BoxField = Annotated[
    list[Thousandth],
    msgspec.Meta(
        min_length=4, max_length=4, description="[x1, y1, x2, y2], 0 to 999 of width and height"
    ),
]
"""A box in the result of a task, as GLM models write it."""

_LARGEST = 10**15
"""Of ``min`` and ``max``: up to here whole numbers are exact as JSON numbers too."""
_LONGEST = 4000
"""Characters of a text."""


class FieldFile(msgspec.Struct, frozen=True):
    """``[fields.NAME]``."""

    type: Literal["text", "whole number", "number", "yes/no", "choice", "box"] = "text"
    meaning: str = ""
    """Told to the model."""
    choices: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    """Of numbers; of texts the longest, in characters."""
    list: bool = False
    optional: bool = False


def problems_of(name: str, spec: FieldFile) -> Iterator[tuple[str, str]]:
    """(key, what is wrong with it); the key is empty for the field as a whole."""
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        yield "", "a field's name is letters, digits and _, begins with a letter, no Python keyword"
    yield from _choice_problems(spec)
    if spec.min is not None and spec.type not in {"number", "whole number"}:
        yield "min", f'there is no least {spec.type}; min belongs to "number" and "whole number"'
    if spec.max is not None and spec.type not in {"number", "whole number", "text"}:
        yield "max", f'there is no greatest {spec.type}; max belongs to numbers and "text"'
    yield from _bound_problems(spec)


def _choice_problems(spec: FieldFile) -> Iterator[tuple[str, str]]:
    if spec.type != "choice":
        if spec.choices:
            yield "choices", 'choices belong to the type "choice"'
        return
    if not spec.choices:
        yield "choices", 'the type "choice" needs some: choices = ["...", "..."]'
    if len(set(spec.choices)) != len(spec.choices):
        yield "choices", "one stands there twice"
    if any(not choice.strip() or plain_text(choice) != choice for choice in spec.choices):
        yield "choices", "one is empty or has invisible characters"


def _bound_problems(spec: FieldFile) -> Iterator[tuple[str, str]]:
    for key in ("min", "max"):
        bound = getattr(spec, key)
        if bound is None:
            continue
        if not math.isfinite(bound) or abs(bound) > _LARGEST:
            yield key, "numbers go from -1e15 to 1e15"
        elif spec.type in {"whole number", "text"} and bound != int(bound):
            yield key, "expected a whole number"
    if spec.type == "text" and spec.max is not None and not 1 <= spec.max <= _LONGEST:
        yield "max", f"a text has 1 to {_LONGEST} characters at most"
    if spec.min is not None and spec.max is not None and spec.min > spec.max:
        yield "min", "min is above max"


def type_of(spec: FieldFile) -> Any:
    """The type of a field's values."""
    single = _single(spec)
    if spec.meaning:
        single = Annotated[single, msgspec.Meta(description=spec.meaning)]
    return list.__class_getitem__(single) if spec.list else single


def _single(spec: FieldFile) -> Any:
    match spec.type:
        case "choice":
            return Literal[spec.choices]
        case "yes/no":
            return bool
        case "box":
            return BoxField
        case "text":
            limit = None if spec.max is None else int(spec.max)
            return Annotated[str, msgspec.Meta(max_length=limit)] if limit else str
        case "whole number":
            low = None if spec.min is None else int(spec.min)
            high = None if spec.max is None else int(spec.max)
            return Annotated[int, msgspec.Meta(ge=low, le=high)]
        case "number":
            return Annotated[float, msgspec.Meta(ge=spec.min, le=spec.max)]
