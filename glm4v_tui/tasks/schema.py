"""The JSON Schema of a result: as its author gives it, and as decoding is bound to it."""

from __future__ import annotations

from typing import Any

import msgspec

from glm4v_tui.tasks.bounds import bounded


def form_of(result_type: Any) -> str:
    """The JSON Schema of a result type, closed and bounded, as JSON.

    Raises:
        TypeError: the type has no JSON form, or one without an end.
    """
    return msgspec.json.encode(bounded(schema_of(result_type))).decode()


def schema_of(result_type: Any) -> dict[str, Any]:
    """The JSON Schema as the author has given it, or as the struct implies it.

    Raises:
        TypeError: the type has no JSON form.
    """
    if isinstance(result_type, dict):
        return result_type
    schema: dict[str, Any] = _without_repeats(msgspec.json.schema(result_type))
    return schema


def _without_repeats(node: Any) -> Any:
    """Sets as lists: what stands there twice is one when it is read, and no grammar counts."""
    if isinstance(node, list):
        return [_without_repeats(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _without_repeats(value) for key, value in node.items()}
    if kept.get("type") == "array" and kept.get("uniqueItems") is True:
        del kept["uniqueItems"]
    return kept
