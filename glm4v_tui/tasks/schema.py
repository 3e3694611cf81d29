"""The form of a result: as a JSON Schema that decoding is bound to, and in words for the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.tasks.task import Language

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEXT_LENGTH = 200
"""Characters of a text that says nothing of its length. Bounds keep every result finite: an
unlucky draw would otherwise write one text until the answer is cut."""
LIST_LENGTH = 16
INTEGER = 10**9

_INTRO = {
    Language.EN: "Answer with one JSON object with these fields:",
    Language.ZH: "请只用一个 JSON 对象回答，字段如下：",
}
_OPTIONAL = {Language.EN: "may be left out", Language.ZH: "可省略"}


def form_of(result_type: Any) -> str:
    """The JSON Schema of a result type, closed and bounded, as JSON.

    Raises:
        TypeError: the type has no JSON form.
    """
    return msgspec.json.encode(_bounded(schema_of(result_type))).decode()


def schema_of(result_type: Any) -> dict[str, Any]:
    """The JSON Schema as the author has given it, or as the struct implies it."""
    if isinstance(result_type, dict):
        return result_type
    return msgspec.json.schema(result_type)


def _bounded(node: Any) -> Any:
    """No unknown fields, and an end to every text, list and number."""
    if isinstance(node, list):
        return [_bounded(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value if key in _DATA else _bounded(value) for key, value in node.items()}
    if "enum" in node or "const" in node:
        return kept
    match node.get("type"):
        case "object" if "properties" in node:
            kept.setdefault("additionalProperties", False)
        case "string" if not {"pattern", "format"} & node.keys():
            kept.setdefault("maxLength", TEXT_LENGTH)
        case "array":
            kept.setdefault("maxItems", LIST_LENGTH)
        case "integer":
            kept.setdefault("minimum", -INTEGER)
            kept.setdefault("maximum", INTEGER)
    return kept


_DATA = frozenset({"enum", "const", "default", "examples", "required", "x-guidance"})
"""Keys of a schema whose values are data and no schemas."""


def describe_form(result_type: Any, language: Language = Language.EN) -> str:
    """The fields in words, a line each, for the model: name, what it takes, what it means."""
    schema = schema_of(result_type)
    lines = _fields(_resolved(schema, schema), schema, language, "")
    return "\n".join([_INTRO[language], *lines])


def _fields(
    node: Mapping[str, Any], root: Mapping[str, Any], language: Language, indent: str
) -> Iterator[str]:
    required = node.get("required", ())
    for name, raw in node.get("properties", {}).items():
        field = _resolved(raw, root)
        inner = field
        if field.get("type") == "array" and isinstance(field.get("items"), dict):
            inner = _resolved(field["items"], root)
        parts = [_words(field, root)]
        if name not in required:
            parts.append(_OPTIONAL[language])
        about = field.get("description") or raw.get("description")
        yield f"{indent}- {name} ({', '.join(parts)})" + (f": {about}" if about else "")
        if "properties" in inner:
            yield from _fields(inner, root, language, indent + "  ")


def _words(field: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    field = _resolved(field, root)
    if "enum" in field or "const" in field:
        return " | ".join(map(_literal, field.get("enum", [field.get("const")])))
    if "anyOf" in field:
        return " or ".join(_words(option, root) for option in field["anyOf"])
    match field.get("type"):
        case "array":
            items = field.get("items")
            inside = _words(items, root) if isinstance(items, dict) else "values"
            fixed = field.get("minItems") == field.get("maxItems") and field.get("minItems")
            return f"list of {fixed} {inside}" if fixed else f"list of {inside}"
        case "string":
            return "text"
        case "integer":
            return "whole number" + _range(field)
        case "number":
            return "number" + _range(field)
        case "boolean":
            return "true | false"
        case "null":
            return "null"
        case _:
            return "object"


def _literal(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _range(field: Mapping[str, Any]) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f" {low} to {high}"
    return f" of at least {low}" if low is not None else f" up to {high}" if high else ""


def _resolved(node: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The definition behind a ``$ref``; anything else as it is."""
    while "$ref" in node:
        name = str(node["$ref"]).rpartition("/")[2]
        node = root.get("$defs", {})[name]
    return node
