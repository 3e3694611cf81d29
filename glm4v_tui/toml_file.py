"""TOML files that a user writes, read into frozen structs.

What is wrong with a file is told all at once, each problem with its line, its key and what would
have been right.
"""

from __future__ import annotations

import difflib
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

import msgspec
import msgspec.inspect

from glm4v_tui.errors import SettingsError
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

S = TypeVar("S", bound=msgspec.Struct)
Keys = tuple[str, ...]
"""Where a value stands: ``("generation", "top_p")``."""

REMEDY = "Correct the file; the program never changes it."


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong in a file."""

    key: str
    """Dotted, as it would be written on one line; empty for the file as a whole."""
    text: str
    line: int | None = None
    """Counted from 1."""


class TomlFile(msgspec.Struct, frozen=True):
    """A file that is valid TOML, whatever it holds."""

    path: Path
    text: str
    data: dict[str, Any]

    def line_of(self, keys: Keys) -> int | None:
        """The line where a key is written, counted from 1.

        The beginning of the file is parsed again line by line until it holds the key, so every
        way to write a key is understood. Slow for long files: for error messages only.
        """
        start, lines = 0, self.text.splitlines(keepends=True)
        for end in range(1, len(lines) + 1):
            try:
                data = _parse("".join(lines[:end]))
            except ValueError:  # in the middle of a value of several lines
                continue
            if _holds(data, keys):
                return start + 1
            start = end
        return None

    def problem(self, keys: Keys, text: str) -> Problem:
        return Problem(dotted(keys), text, self.line_of(keys))

    def unknown(self, keys: Keys, valid: Iterable[str]) -> Problem:
        """The problem of a key that nobody reads; ``valid`` are the keys that could stand there."""
        return self.problem(keys, "unknown" + did_you_mean(keys[-1], valid))


def read_toml(path: Path) -> TomlFile:
    """Read a file.

    Raises:
        SettingsError: it cannot be read or is not TOML; with the line, where there is one.
        FileNotFoundError: there is no such file.
    """
    text = ""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return TomlFile(path, text, _parse(text))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise settings_error(path, [Problem("", error.strerror or str(error))]) from error
    except UnicodeDecodeError as error:
        raise settings_error(path, [Problem("", f"not UTF-8 ({error.reason})")]) from error
    except ValueError as error:
        raise settings_error(path, [_syntax_problem(str(error), text)]) from error


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


def settings_error(path: Path, problems: list[Problem]) -> SettingsError:
    """The error that tells all problems of one file."""
    count = "an error" if len(problems) == 1 else f"{len(problems)} errors"
    ordered = sorted(problems, key=lambda problem: problem.line or 0)
    return SettingsError(
        f"{plain_line(path.name)} has {count}",
        "\n".join(problem_line(path, problem) for problem in ordered),
        REMEDY,
    )


def problem_line(path: Path, problem: Problem) -> str:
    """``file:line: key: what is wrong``, as compilers write it."""
    place = str(path) if problem.line is None else f"{path}:{problem.line}"
    return plain_line(": ".join(part for part in (place, problem.key, problem.text) if part))


def did_you_mean(word: str, valid: Iterable[str]) -> str:
    """``; did you mean ...?`` with the nearest valid word, or a list of the few there are."""
    known = list(valid)
    plain = {name.lower().replace("-", "_"): name for name in known}
    near = difflib.get_close_matches(word.lower().replace("-", "_"), plain, n=1, cutoff=0.6)
    if near:
        return f'; did you mean "{plain[near[0]]}"?'
    return f"; there is {', '.join(known)}" if 0 < len(known) <= 12 else ""


def dotted(keys: Keys) -> str:
    return ".".join(key if re.fullmatch(r"[\w-]+", key) else f'"{key}"' for key in keys)


def expected(kind: Any) -> str:
    """In words what a field of this type takes: ``a number, at least 0``."""
    if get_origin(kind) is Literal:  # in its own order: msgspec sorts
        return "one of " + ", ".join(f'"{value}"' for value in get_args(kind))
    return _words(msgspec.inspect.type_info(kind))


def _parse(text: str) -> dict[str, Any]:
    import tomllib  # late: a start without settings files needs no parser

    return tomllib.loads(text)


def _syntax_problem(message: str, text: str) -> Problem:
    """tomllib writes the place into the message; without a line it is the end of the file."""
    what, _, place = message.rpartition(" (at ")
    found = re.match(r"line (\d+)", place)
    line = int(found[1]) if found else len(text.splitlines())
    return Problem("", f"not valid TOML: {what or message}", line)


def _holds(data: Any, keys: Keys) -> bool:
    for key in keys:
        if not isinstance(data, dict) or key not in data:
            return False
        data = data[key]
    return True


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
        case msgspec.inspect.DictType():
            return "a table"
        case msgspec.inspect.VarTupleType(item_type=item):
            return f"a list of {_words(item)}"
        case _:
            return "text"


def _bounds(gt: float | None, ge: float | None, lt: float | None, le: float | None) -> str:
    words = (("above", gt), ("at least", ge), ("below", lt), ("at most", le))
    return "".join(f", {word} {bound:g}" for word, bound in words if bound is not None)
