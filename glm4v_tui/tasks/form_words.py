"""The form of a result in words, for the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.tasks.references import resolved
from glm4v_tui.tasks.schema import schema_of
from glm4v_tui.tasks.task import Language

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Schema = Mapping[str, Any]

_ZH = {
    "Answer with one JSON object with these fields:": "请只用一个 JSON 对象回答，字段如下：",
    "Answer with JSON: {}": "请只用 JSON 回答：{}",
    "may be left out": "可省略",
    "values": "值", "list of {}": "{}的列表", "list of {} {}": "{} 个{}的列表", " or ": " 或 ",
    "text": "文本", "whole number": "整数", "number": "数字", "object": "对象",
    " {} to {}": " {} 至 {}", " of at least {}": " 不小于 {}", " up to {}": " 不大于 {}",
    "object of {} by name": "按名称的{}对象",
}  # fmt: skip


def describe_form(result_type: Any, language: Language = Language.EN) -> str:
    """The fields, a line each: name, what it takes, what it means.

    Raises:
        TypeError: the type has no JSON form, or one without an end.
    """
    return "\n".join(_Describing(schema_of(result_type), language).lines())


class _Describing:
    def __init__(self, root: Schema, language: Language) -> None:
        self._root = root
        self._language = language

    def lines(self) -> Iterator[str]:
        top = resolved(self._root, self._root)
        if "properties" in top:
            yield self._say("Answer with one JSON object with these fields:")
            yield from self._fields(top, "")
            return
        yield self._say("Answer with JSON: {}", self._words(top))
        for inner in self._inside(top):
            yield from self._fields(inner, "")

    def _fields(self, node: Schema, indent: str) -> Iterator[str]:
        required = node.get("required", ())
        for name, raw in node.get("properties", {}).items():
            if not isinstance(raw, dict):
                continue
            field = resolved(raw, self._root)
            words = self._words(field)
            if name not in required:
                words += ", " + self._say("may be left out")
            about = raw.get("description") or field.get("description")
            yield f"{indent}- {name} ({words})" + (f": {about}" if about else "")
            for inner in self._inside(field):
                yield from self._fields(inner, indent + "  ")

    def _inside(self, field: Schema) -> Iterator[Schema]:
        """The objects that a value is, or is made of."""
        field = resolved(field, self._root)
        if "properties" in field:
            yield field
            return
        options = [*field.get("anyOf", ()), *field.get("oneOf", ()), field.get("items")]
        for option in [*options, field.get("additionalProperties")]:
            if isinstance(option, dict):
                yield from self._inside(option)

    def _words(self, field: Schema) -> str:
        field = resolved(field, self._root)
        if "enum" in field or "const" in field:
            return " | ".join(map(_literal, field.get("enum", [field.get("const")])))
        if options := field.get("anyOf") or field.get("oneOf"):
            words = dict.fromkeys(self._words(option) for option in options)
            return self._say(" or ").join(words)
        kind = field.get("type")
        if isinstance(kind, list):
            return self._say(" or ").join(self._words({**field, "type": one}) for one in kind)
        return self._of_type(str(kind), field)

    def _of_type(self, kind: str, field: Schema) -> str:
        match kind:
            case "array":
                return self._list(field)
            case "string":
                return self._say("text")
            case "integer":
                return self._say("whole number") + self._range(field)
            case "number":
                return self._say("number") + self._range(field)
            case "boolean":
                return "true | false"
            case "null":
                return "null"
        values = field.get("additionalProperties")
        if isinstance(values, dict):
            return self._say("object of {} by name", self._words(values))
        return self._say("object")

    def _list(self, field: Schema) -> str:
        items = field.get("items")
        inside = self._words(items) if isinstance(items, dict) else self._say("values")
        if first := field.get("prefixItems"):
            return f"[{', '.join(map(self._words, first))}]"
        least, most = field.get("minItems"), field.get("maxItems")
        if least and least == most:
            return self._say("list of {} {}", least, inside)
        return self._say("list of {}", inside)

    def _range(self, field: Schema) -> str:
        low = field.get("minimum", field.get("exclusiveMinimum"))
        high = field.get("maximum", field.get("exclusiveMaximum"))
        if low is not None and high is not None:
            return self._say(" {} to {}", low, high)
        if low is not None:
            return self._say(" of at least {}", low)
        return "" if high is None else self._say(" up to {}", high)

    def _say(self, text: str, *values: object) -> str:
        return (_ZH[text] if self._language is Language.ZH else text).format(*values)


def _literal(value: Any) -> str:
    return msgspec.json.encode(value).decode()
