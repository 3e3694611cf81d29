"""Results that a schema allows, made without a model: what a task is tried with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glm4v_tui.tasks.references import resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH = 6
"""Levels after which only what must be there is made: a schema may name itself."""


MOST = 20
"""Samples; a field with more choices is not tried with all."""


def samples_of(schema: dict[str, Any]) -> Iterator[Any]:
    """Values with everything, one for each of the choices that a field has, and one with little."""
    longest = max(_choices(schema), default=1)
    for turn in range(min(longest, MOST)):
        yield sample_of(schema, full=True, turn=turn)
    yield sample_of(schema, full=False)


def sample_of(schema: dict[str, Any], *, full: bool, turn: int = 0) -> Any:
    """A JSON value that fits the schema; patterns and formats of texts are not looked at.

    Args:
        turn: Which of the choices of each field is taken.
        full: With every optional field, one thing in every list and a word in every text. Else as
            little as the schema allows.
    """
    return _Sample(schema, full, turn).of(schema, 0)


def _choices(node: Any) -> Iterator[int]:
    """How many choices each field has, wherever it stands."""
    if isinstance(node, list):
        for item in node:
            yield from _choices(item)
    if isinstance(node, dict):
        if isinstance(node.get("enum"), list):
            yield len(node["enum"])
        for item in node.values():
            yield from _choices(item)


class _Sample:
    def __init__(self, root: dict[str, Any], full: bool, turn: int) -> None:
        self._root = root
        self._full = full
        self._turn = turn

    def of(self, raw: Any, depth: int) -> Any:
        node = resolved(raw, self._root) if isinstance(raw, dict) else {}
        if "const" in node:
            return node["const"]
        if node.get("enum"):
            return node["enum"][self._turn % len(node["enum"])]
        for several in ("anyOf", "oneOf"):
            if node.get(several):
                return self.of(self._chosen(node[several]), depth + 1)
        kind = node.get("type")
        return self._made(kind[0] if isinstance(kind, list) else kind, node, depth)

    def _chosen(self, options: list[Any]) -> Any:
        """Something rather than nothing in a full sample, nothing in the other."""
        nothing = [one for one in options if one.get("type") == "null"]
        something = [one for one in options if one.get("type") != "null"]
        return (something + nothing if self._full else nothing + something)[0]

    def _made(self, kind: str | None, node: Any, depth: int) -> Any:
        match kind:
            case "object":
                return self._object(node, depth)
            case "array":
                return self._array(node, depth)
            case "string":
                least = int(node.get("minLength", 0))
                return (
                    "word"[: node.get("maxLength", 4)].ljust(least, "x")
                    if self._full
                    else ("x" * least)
                )
            case "integer":
                return int(_number(node, self._full))
            case "number":
                return float(_number(node, self._full))
            case "boolean":
                return self._full
            case "null":
                return None
            case _:
                return {}

    def _object(self, node: Any, depth: int) -> dict[str, Any]:
        required = node.get("required", ())
        is_all = self._full and depth < _DEPTH
        return {
            name: self.of(field, depth + 1)
            for name, field in node.get("properties", {}).items()
            if is_all or name in required
        }

    def _array(self, node: Any, depth: int) -> list[Any]:
        first = list(node.get("prefixItems", ()))
        wanted = max(int(node.get("minItems", 0)), len(first))
        if self._full and depth < _DEPTH:
            wanted = min(max(wanted, 1), int(node.get("maxItems", wanted + 1)))
        items = node.get("items")
        kinds = first[:wanted] + [items] * (wanted - len(first))
        return [self.of(kind, depth + 1) for kind in kinds if isinstance(kind, dict)]


def _number(node: Any, full: bool) -> float:
    """The greatest or the least number that is allowed; 0 where that is open."""
    low = node.get("minimum", node.get("exclusiveMinimum"))
    high = node.get("maximum", node.get("exclusiveMaximum"))
    if full and high is not None:
        return float(high) - ("maximum" not in node)
    if low is not None:
        return float(low) + ("minimum" not in node)
    return min(0.0, float(high) - 1) if high is not None else 0.0
