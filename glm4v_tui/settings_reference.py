"""The reference of settings in Markdown, from the classes that define them."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.toml_struct import expected

if TYPE_CHECKING:
    from collections.abc import Iterator


def reference(settings: type[msgspec.Struct]) -> str:
    """One table for each area of ``settings``, every field with its values, default and meaning."""
    return "\n".join(
        line for field in msgspec.structs.fields(settings) for line in area(field.name, field.type)
    )


def field_docs(kind: type[msgspec.Struct]) -> dict[str, str]:
    """The string under each field, on one line."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    return dict(_documented(definition.body))


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(ast.Constant(str(text))):
                yield name, " ".join(text.split())


def area(name: str, kind: type[msgspec.Struct]) -> Iterator[str]:
    """The table of one area."""
    docs = field_docs(kind)
    yield f"#### `[{name}]`\n\n{inspect.getdoc(kind)}\n"
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    for field in msgspec.structs.fields(kind):
        cells = (f"`{field.name}`", expected(field.type), _toml(field.default), docs[field.name])
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _toml(value: Any) -> str:
    match value:
        case None:
            return "not set"
        case msgspec.UnsetType() | msgspec.NODEFAULT:
            return "needed"
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f'`"{value}"`'
        case tuple():
            return f"`{list(value)}`"
        case _:
            return f"`{value}`"
