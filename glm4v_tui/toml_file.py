"""TOML files that a user writes, and what is wrong with them, by file, line and key."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.errors import SettingsError
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        """The line where a key is written, counted from 1; None when it cannot be told.

        The beginning of the file, up to a line that names the key, is parsed again: whether it
        holds the key is then certain, in whatever way TOML lets it be written.
        """
        lines = self.text.splitlines(keepends=True)
        for number, line in enumerate(lines):
            if keys[-1] in line and _holds(_parse_beginning(lines, number + 1), keys):
                return number + 1
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


def settings_error(path: Path, problems: list[Problem]) -> SettingsError:
    """The error that tells all problems of one file."""
    count = "an error" if len(problems) == 1 else f"{len(problems)} errors"
    ordered = sorted(problems, key=lambda problem: problem.line or 0)
    return SettingsError(
        f"{plain_line(path.name)} has {count}",
        "\n".join(problem_line(path, problem) for problem in ordered),
        REMEDY,
    )


def missing_file(path: Path) -> SettingsError:
    return SettingsError(
        "A settings file is missing", f"{path}: there is no such file", "Check its name."
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


def _parse(text: str) -> dict[str, Any]:
    import tomllib  # late: a start without settings files needs no parser

    return tomllib.loads(text)


def _syntax_problem(message: str, text: str) -> Problem:
    """tomllib writes the place into the message; without a line it is the end of the file."""
    what, _, place = message.rpartition(" (at ")
    found = re.match(r"line (\d+)", place)
    line = int(found[1]) if found else len(text.splitlines())
    return Problem("", f"not valid TOML: {what or message}", line)


def _parse_beginning(lines: list[str], end: int) -> dict[str, Any]:
    """The first ``end`` lines, and as many more as the value that is begun there needs."""
    for more in range(end, len(lines) + 1):
        try:
            return _parse("".join(lines[:more]))
        except ValueError:
            continue
    return {}


def _holds(data: Any, keys: Keys) -> bool:
    for key in keys:
        if not isinstance(data, dict) or key not in data:
            return False
        data = data[key]
    return True
