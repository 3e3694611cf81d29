"""References within a JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def resolved(node: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The definition behind a ``$ref``, whatever the number of steps; anything else as it is.

    Raises:
        TypeError: the reference leads nowhere, out of the schema, or to itself.
    """
    seen: set[str] = set()
    while "$ref" in node:
        name = str(node["$ref"])
        if name in seen:
            raise TypeError(f"{name} refers to itself")
        seen.add(name)
        node = _at(name, root)
    return node


def _at(name: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a pointer (RFC 6901) such as ``#/$defs/Part`` points to."""
    node: Any = root
    start, *keys = name.split("/")
    for key in keys:
        key = key.replace("~1", "/").replace("~0", "~")
        node = node.get(key) if isinstance(node, dict) else None
    if start != "#" or not isinstance(node, dict):
        raise TypeError(f"the reference {name} leads nowhere in the schema")
    return node
