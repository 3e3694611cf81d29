"""Gives a JSON Schema an end: closed objects, and limits to every text, list and number.

An unlucky draw would otherwise write one text, or the digits of one number, until the answer is
cut. Whatever the bounded schema allows, the author's allows too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from glm4v_tui.plain import UNSAFE_CHARACTERS, plain_text
from glm4v_tui.tasks.references import resolved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Schema = Mapping[str, Any]

TEXT_LENGTH = 200
"""Characters of a text that says nothing of its length."""
NAME_LENGTH = 40
"""Characters of a name in an object whose names are free."""
LIST_LENGTH = 16
"""Of lists, and of objects whose names are free."""
LARGEST = 10**9
"""Of numbers, up and down."""
STEP, FINEST = 1e-6, 1e-10
"""Numbers are written in multiples of this; the second is the smallest that can be bound."""

_ONE = ("items", "additionalProperties")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "$defs", "definitions")
"""Keys of a schema whose values are schemas: one, a list, by name. All others hold data."""
_FORMATS = frozenset(
    "date-time time date duration email hostname ipv4 ipv6 uuid uri".split()  # noqa: SIM905
)
"""Those that answers can be bound to."""
_COMBINED = ("$ref", "anyOf", "oneOf", "allOf")
_SAFE = f"[^{UNSAFE_CHARACTERS}]"


def bounded(schema: Schema) -> dict[str, Any]:
    """The schema with an end to everything.

    Raises:
        TypeError: some part has none, such as a value of any kind; says which.
    """
    _check_ends(schema, schema, ())
    return _bounded(schema, "")


def _bounded(node: Schema, at: str, *, closes: bool = True) -> dict[str, Any]:
    """A part of the schema; ``at`` is its name for errors."""
    kept = {key: _inner(key, value, at) for key, value in node.items()}
    if "enum" in node or "const" in node:
        _check_choices(node, at)
        return kept
    for kind in _kinds(node, at):
        match kind:
            case "object":
                _bound_object(kept, node, at, closes=closes)
            case "array":
                _bound_array(kept, at)
            case "string":
                _bound_text(kept, at)
            case "integer" | "number":
                _bound_number(kept, is_whole=kind == "integer")
    return kept


def _inner(key: str, value: Any, at: str) -> Any:
    if key in _ONE and isinstance(value, dict):
        return _bounded(value, f"{at}[]")
    if key in _LISTS and isinstance(value, list):
        parts = (_parts_of(part, at, closes=key != "allOf") for part in value)
        return list(parts)
    if key in _MAPS and isinstance(value, dict):
        return {name: _parts_of(part, f"{at}.{name}".lstrip(".")) for name, part in value.items()}
    return value


def _parts_of(part: Any, at: str, *, closes: bool = True) -> Any:
    if part is True:
        part = {}
    return _bounded(part, at, closes=closes) if isinstance(part, dict) else part


def _kinds(node: Schema, at: str) -> list[str]:
    """The types that a schema says or clearly means."""
    named = node.get("type")
    if named is not None:
        return [named] if isinstance(named, str) else list(named)
    if "properties" in node:
        return ["object"]
    if "items" in node or "prefixItems" in node:
        return ["array"]
    if any(key in node for key in _COMBINED):
        return []
    raise TypeError(f"{at or 'the result'} may be anything: give it a type")


def _bound_object(kept: dict[str, Any], node: Schema, at: str, *, closes: bool) -> None:
    kept["type"] = node.get("type", "object")
    values = kept.get("additionalProperties")
    if "properties" in node or "patternProperties" in node:
        if closes:
            kept["additionalProperties"] = False
        if "patternProperties" in node:
            kept.setdefault("maxProperties", LIST_LENGTH)
    elif isinstance(values, dict):
        kept["patternProperties"] = {f"^{_SAFE}{{1,{NAME_LENGTH}}}$": values}
        kept["additionalProperties"] = False
        kept.setdefault("maxProperties", LIST_LENGTH)
    elif values is not False:
        raise TypeError(f"{at or 'the result'} may hold anything: say what its fields are")


def _bound_array(kept: dict[str, Any], at: str) -> None:
    kept.setdefault("type", "array")
    if "prefixItems" in kept:
        kept.setdefault("items", False)
    if kept.get("items", True) is True:
        raise TypeError(f"{at or 'the result'} is a list of anything: say of what")
    kept.setdefault("maxItems", max(LIST_LENGTH, kept.get("minItems", 0)))


def _bound_text(kept: dict[str, Any], at: str) -> None:
    if "contentEncoding" in kept or kept.get("format") == "decimal":
        raise TypeError(f"{at or 'the result'} is of a type that a model does not write")
    if kept.get("format", "date") not in _FORMATS:
        del kept["format"]  # a hint only, in JSON Schema's own reading
    low = kept.get("minLength", 0)
    high = kept.setdefault("maxLength", max(TEXT_LENGTH, low))
    if "pattern" not in kept and "format" not in kept:  # no control characters, escaped or not
        kept["pattern"] = f"^{_SAFE}{{{low},{high}}}$"
        kept.pop("minLength", None)
        kept.pop("maxLength", None)


def _bound_number(kept: dict[str, Any], *, is_whole: bool) -> None:
    low = kept.get("minimum", kept.get("exclusiveMinimum"))
    high = kept.get("maximum", kept.get("exclusiveMaximum"))
    if low is None:
        low = kept["minimum"] = min(-LARGEST, -LARGEST if high is None else high - LARGEST)
    if high is None:
        high = kept["maximum"] = max(LARGEST, low + LARGEST)
    if low == high and not is_whole and "multipleOf" not in kept:
        kept.clear()
        kept["const"] = low
    elif not is_whole:
        kept.setdefault("multipleOf", _step(high - low))


def _step(span: float) -> float:
    """A power of ten that leaves at least a thousand values in the span."""
    fine = 10.0 ** math.floor(math.log10(span / 1000)) if span > 0 else STEP
    return max(FINEST, min(STEP, fine))


def _check_choices(node: Schema, at: str) -> None:
    for choice in node.get("enum", [node.get("const")]):
        if isinstance(choice, str) and plain_text(choice) != choice:
            raise TypeError(f"{at or 'the result'}: {choice!r} holds invisible characters")


def _check_ends(node: Any, root: Schema, within: tuple[str, ...]) -> None:
    """No definition may hold itself."""
    if not isinstance(node, dict):
        return
    name = node.get("$ref")
    if name in within:
        raise TypeError(f"{str(name).rpartition('/')[2]} holds itself: a result must have an end")
    if name is not None:
        _check_ends(resolved(node, root), root, (*within, str(name)))
    for part in _parts(node):
        _check_ends(part, root, within)


def _parts(node: Schema) -> Iterator[Any]:
    """The schemas in a schema, but for definitions: those count where they are used."""
    yield from (node[key] for key in _ONE if key in node)
    for key in _LISTS:
        yield from node.get(key, ())
    for key in _MAPS[:2]:
        yield from node.get(key, {}).values()
