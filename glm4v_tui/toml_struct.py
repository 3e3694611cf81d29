"""TOML data as frozen structs, with everything that does not fit told at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

import msgspec
import msgspec.inspect

from glm4v_tui.toml_file import Keys, Problem, TomlFile, dotted, settings_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

S = TypeVar("S", bound=msgspec.Struct)


def read_struct(file: TomlFile, kind: type[S], reserved: Iterable[str] = ()) -> S:
    """The file's content as ``kind``.

    Args:
        reserved: Top-level keys that are left alone, whatever they hold.

    Raises:
        SettingsError: unknown keys, wrong types, values out of bounds: all of them at once.
    """
    data = {key: value for key, value in file.data.items() if key not in set(reserved)}
    problems: list[Problem] = []
    value = _struct(file, kind, data, (), problems)
    if value is None or problems:
        raise settings_error(file.path, problems)
    return value


def read_table(file: TomlFile, kind: type[S], at: Keys) -> S:
    """One table of a file as ``kind``; one that is not there is empty.

    Args:
        at: Where it stands: ``("tasks", "defect")``.

    Raises:
        SettingsError: as :func:`read_struct`.
    """
    data: Any = file.data
    for key in at:
        data = data.get(key, {}) if isinstance(data, dict) else data
    problems: list[Problem] = []
    if isinstance(data, dict):
        value = _struct(file, kind, data, at, problems)
    else:
        value = None
        problems.append(file.problem(at, f"expected a table, found {_found(data)}"))
    if value is None or problems:
        raise settings_error(file.path, problems)
    return value


def expected(kind: Any) -> str:
    """In words what a field of this type takes: ``a number, at least 0``."""
    if get_origin(kind) is Literal:  # in its own order: msgspec sorts
        return "one of " + ", ".join(f'"{value}"' for value in get_args(kind))
    return _words(msgspec.inspect.type_info(kind))


def _struct(
    file: TomlFile, kind: type[S], data: Mapping[str, Any], at: Keys, problems: list[Problem]
) -> S | None:
    """``data`` as ``kind``, with what is wrong added to ``problems``; None without a needed key."""
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in data.items():
        keys = (*at, key)
        if key not in fields:
            problems.append(_unknown(file, kind, keys))
        elif not _is_struct(fields[key].type):
            _field(file, fields[key].type, keys, value, values, problems)
        elif isinstance(value, dict):
            values[key] = _struct(file, fields[key].type, value, keys, problems)
        else:
            problems.append(file.problem(keys, f"expected a table, found {_found(value)}"))
    needed = [name for name, field in fields.items() if field.required]
    problems += [Problem(dotted((*at, name)), "missing") for name in needed if name not in data]
    return kind(**values) if all(name in values for name in needed) else None


def _field(
    file: TomlFile,
    kind: Any,
    keys: Keys,
    value: Any,
    values: dict[str, Any],
    problems: list[Problem],
) -> None:
    try:
        values[keys[-1]] = msgspec.convert(_finite(value), kind)
    except msgspec.ValidationError:
        text = f"expected {expected(kind)}, found {_found(value)}"
        problems.append(file.problem(keys, text))


def _finite(value: Any) -> Any:
    """TOML has ``nan`` and ``inf``, and ``nan`` passes every bound."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _unknown(file: TomlFile, kind: type[msgspec.Struct], keys: Keys) -> Problem:
    """The problem of a key without a field, which may be right in another table."""
    fields = msgspec.structs.fields(kind)
    for field in fields:
        if _is_struct(field.type) and keys[-1] in field.type.__struct_fields__:
            return file.problem(keys, f"unknown here; it belongs under [{field.name}]")
    return file.unknown(keys, [field.name for field in fields])


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _found(value: Any) -> str:
    match value:
        case dict():
            return "a table"
        case list():
            return "a list"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value[:40]}"' if len(value) <= 40 else f'"{value[:40]}..."'
        case _:
            return str(value)


def _words(info: msgspec.inspect.Type) -> str:
    match info:
        case msgspec.inspect.UnionType(types=types):
            some = [kind for kind in types if not isinstance(kind, msgspec.inspect.NoneType)]
            return " or ".join(_words(kind) for kind in some)
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.IntType(gt=gt, ge=ge, lt=lt, le=le):
            return "a whole number" + _bounds(gt, ge, lt, le)
        case msgspec.inspect.FloatType(gt=gt, ge=ge, lt=lt, le=le):
            return "a number" + _bounds(gt, ge, lt, le)
        case msgspec.inspect.LiteralType(values=values):
            return "one of " + ", ".join(f'"{value}"' for value in values)
        case msgspec.inspect.DictType():
            return "a table"
        case msgspec.inspect.VarTupleType(item_type=item):
            return f"a list of {_words(item)}"
        case _:
            return "text"


def _bounds(gt: float | None, ge: float | None, lt: float | None, le: float | None) -> str:
    words = (("above", gt), ("at least", ge), ("below", lt), ("at most", le))
    return "".join(f", {word} {bound:g}" for word, bound in words if bound is not None)
