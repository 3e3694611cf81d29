"""The labels of a task file: what a reviewer may give, what the model would say, and which results
speak for which label::

    label_question = "Is the bottle full and closed? Answer yes or no."

    [[labels]]
    name = "pass"
    key = "p"
    answer = "Yes"                       # what the model says to the question where it fits
    when = { cap = "on", level = { min = 90, max = 100 } }

    [[labels]]
    name = "fail"
    answer = "No"
    when = "otherwise"                   # every other result

``when`` names fields: a value or several of which one is to be there, ``min`` and ``max`` of a
number, or, of what may be left out or is a list or a box, ``true`` where there is something and
``false`` where there is nothing. The first label whose ``when`` holds is the result's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.tasks.task import Label
from glm4v_tui.toml_file import did_you_mean, settings_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from glm4v_tui.tasks.toml_fields import FieldFile
    from glm4v_tui.toml_file import Problem, TomlFile

OTHERWISE = "otherwise"
_NUMBERS = ("number", "whole number")

Rule = tuple[str, Any]
"""A label's name and its ``when``."""


class LabelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[labels]]``."""

    name: str
    key: str = ""
    title: str = ""
    answer: str = ""
    when: Any = None

    @property
    def label(self) -> Label:
        return Label(self.name, self.key, self.title, self.answer)


def read_labels(
    file: TomlFile, fields: Mapping[str, FieldFile] | None
) -> tuple[tuple[Label, ...], tuple[Rule, ...]]:
    """The labels, and which results speak for them.

    Args:
        fields: Of the result; None where they could not be read, so that no rule is checked.

    Raises:
        SettingsError: with file, line and key.
    """
    rows = file.data.get("labels", [])
    try:
        found = msgspec.convert(rows, tuple[LabelFile, ...])
    except msgspec.ValidationError as error:
        text = f"expected [[labels]] with a name each: {error}"
        raise settings_error(file.path, [file.problem(("labels",), text)]) from error
    problems = list(_problems(file, found, fields))
    if problems:
        raise settings_error(file.path, problems)
    rules = tuple((one.name, one.when) for one in found if one.when is not None)
    return tuple(one.label for one in found), rules


def label_by(rules: tuple[Rule, ...], result: msgspec.Struct) -> str | None:
    """The first label that speaks of such a result."""
    return next((name for name, when in rules if _holds(when, result)), None)


# What a file may say ----------------------------------------------------------------------------


def _problems(
    file: TomlFile, labels: tuple[LabelFile, ...], fields: Mapping[str, FieldFile] | None
) -> Iterator[Problem]:
    problem = partial(file.problem, ("labels",))
    for what in ("name", "key"):
        given = [value for label in labels if (value := getattr(label, what))]
        if len(set(given)) != len(given):
            yield problem(f"two labels have the same {what}")
    if not all(label.name.strip() for label in labels):
        yield problem("a label's name is empty")
    for number, label in enumerate(labels):
        if label.when == OTHERWISE and any(one.when is not None for one in labels[number + 1 :]):
            yield problem(f'{label.name}: when = "{OTHERWISE}" leaves nothing to the labels below')
        if fields is not None and label.when is not None:
            for text in _when_problems(label.when, fields):
                yield problem(f"{label.name}: when: {text}")


def _when_problems(when: Any, fields: Mapping[str, FieldFile]) -> Iterator[str]:
    if when == OTHERWISE:
        return
    if not isinstance(when, dict) or not when:
        yield f'expected {{ FIELD = VALUE }} or "{OTHERWISE}"'
        return
    for name, wanted in when.items():
        if name not in fields:
            yield f"there is no field {name}{did_you_mean(name, fields)}"
            continue
        values = wanted if isinstance(wanted, list) else [wanted]
        if not values:
            yield f"{name}: an empty list fits no result"
        for value in values:
            if not _can_be(value, fields[name]):
                yield f"{name} cannot be {value!r}; it is {_possible(fields[name])}"


def _can_be(value: Any, field: FieldFile) -> bool:
    if isinstance(value, bool):
        return field.type in ("yes/no", "box") or field.list or field.optional
    if isinstance(value, dict):
        bounds = [bound for key, bound in value.items() if key in ("min", "max")]
        is_whole = len(bounds) == len(value) > 0 and all(map(_is_number, bounds))
        return field.type in _NUMBERS and is_whole
    if field.type == "choice":
        return value in field.choices
    if field.type in _NUMBERS:
        return _is_number(value)
    return field.type == "text" and isinstance(value, str)


def _possible(field: FieldFile) -> str:
    own = {
        "choice": f"one of {', '.join(field.choices)}",
        "yes/no": "true or false",
        "box": "true where there is one, else false",
        "text": "a text",
    }.get(field.type, "a number, or { min = ..., max = ... }")
    optional = "; or true where there is something, else false"
    return own + optional * (field.type not in ("box", "yes/no") and (field.list or field.optional))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# What a result says -----------------------------------------------------------------------------


def _holds(when: Any, result: msgspec.Struct) -> bool:
    if when == OTHERWISE:
        return True
    return all(_fits(wanted, getattr(result, name)) for name, wanted in when.items())


def _fits(wanted: Any, value: Any) -> bool:
    fits: Callable[[Any], bool] = partial(_is_one, value=value)
    return any(map(fits, wanted if isinstance(wanted, list) else [wanted]))


def _is_one(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, bool):
        return value is wanted if isinstance(value, bool) else bool(_is_there(value)) is wanted
    values = value if isinstance(value, list) else [value]
    if isinstance(wanted, dict):
        low, high = wanted.get("min", float("-inf")), wanted.get("max", float("inf"))
        return any(_is_number(one) and low <= one <= high for one in values)
    return wanted in values


def _is_there(value: Any) -> bool:
    """Something: a number that is 0 is; an empty list, an empty text and null are not."""
    return value not in (None, "", [])
