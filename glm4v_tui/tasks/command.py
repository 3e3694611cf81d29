"""A task as it is written in a chat: ``/NAME``, ``/NAME option=value words``.

One form for the composer, the task chooser, the history and plain chats: what was asked with
choices comes back with them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from glm4v_tui.errors import UsageError
from glm4v_tui.plain import plain_line
from glm4v_tui.toml_file import did_you_mean
from glm4v_tui.toml_struct import expected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from glm4v_tui.tasks.call import AnyTask

_COMMAND = re.compile(r"/([\w-]+)(?:\s+(.*))?\s*\Z", re.DOTALL)
_CHOICE = re.compile(r'(\w+)=(?:"([^"]*)"|(\S*))(?:\s+|\Z)')

Choices = dict[str, dict[str, Any]]
"""Option -> what it can be set to: as it is written -> its value."""


class Command(NamedTuple):
    """What stands in a text that begins with a task's name."""

    name: str
    rest: str
    """Choices and words, not read yet: that takes the task."""


def command_in(text: str) -> Command | None:
    """The task that a text names; None where it begins otherwise, for instance with a path."""
    found = _COMMAND.match(text.strip())
    return Command(found[1], (found[2] or "").strip()) if found else None


def find_task(name: str, tasks: Mapping[str, AnyTask]) -> AnyTask:
    """The task of this name, in any case of its letters.

    Raises:
        UsageError: there is none; says which is near.
    """
    if (task := tasks.get(name) or tasks.get(name.lower())) is not None:
        return task
    raise UsageError(
        f"There is no task {plain_line(name)}{did_you_mean(name.lower(), tasks)}",
        f"There are: {_listed(sorted(tasks))}." if tasks else "No plugin has brought one.",
        "A question that begins with / is for the task of that name: begin with another word.",
    )


def choices_of(task: AnyTask) -> Choices:
    """The options of a task that have a few values by name, or yes and no."""
    try:
        fields = msgspec.structs.fields(task.options_type)
    except Exception:  # noqa: BLE001 - a stranger's annotations need not make sense
        return {}
    found = {field.name: _values(field.type) for field in fields}
    return {name: values for name, values in found.items() if values}


def read_choices(task: AnyTask, rest: str) -> tuple[dict[str, str], str]:
    """Tell the choices before the words from the words.

    Returns:
        Option -> chosen value, as it is written; the words.

    Raises:
        UsageError: an option cannot have this value.
    """
    chosen = dict[str, str]()
    while found := _CHOICE.match(rest):
        name, value = found[1], found[2] if found[2] is not None else found[3]
        _value_of(task, name, value)
        chosen[name] = value
        rest = rest[found.end() :]
    return chosen, rest.strip()


def with_choices(
    task: AnyTask, options: msgspec.Struct, chosen: Mapping[str, str]
) -> msgspec.Struct:
    """The options with these choices in place of the settings'.

    Raises:
        UsageError: there is no such option, or it cannot have this value.
    """
    values = {name: _value_of(task, name, value) for name, value in chosen.items()}
    return msgspec.structs.replace(options, **values)


def options_set(task: AnyTask, options: msgspec.Struct, settings: Iterable[str]) -> msgspec.Struct:
    """The options with ``NAME=VALUE`` of the command line in place of the settings'.

    Raises:
        UsageError: as :func:`with_choices`, or it is no ``NAME=VALUE``.
    """
    chosen = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(
                "An option of a task needs a value",
                plain_line(setting),
                "Write --option NAME=VALUE.",
            )
        chosen[name.strip()] = value
    return with_choices(task, options, chosen)


def _value_of(task: AnyTask, name: str, written: str) -> Any:
    """The value of an option, from how it is written."""
    fields = {field.name: field for field in msgspec.structs.fields(task.options_type)}
    if name not in fields:
        raise UsageError(
            f"{plain_line(str(task.title))} has no option {plain_line(name)}"
            f"{did_you_mean(name, fields)}",
            f"Its options: {_listed(fields) or 'none'}.",
            "If it belongs to the question, begin that with another word.",
        )
    if values := choices_of(task).get(name):
        if written not in values:
            hint = did_you_mean(written, values)
            raise UsageError(
                f"{name} cannot be {plain_line(written) or 'empty'}{hint}",
                f"It is one of {_listed(map(_quoted, values))}.",
                "Choose one of them, or leave it out.",
            )
        return values[written]
    kind = fields[name].type
    try:
        return _converted(written, kind)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{name} cannot be {plain_line(written) or 'empty'}",
            f"It is {expected(kind)}.",
            "Give it another value, or leave it out.",
        ) from error


def _converted(written: str, kind: Any) -> Any:
    """Text as a value of a type; several values of a list are told apart by commas."""
    try:
        return msgspec.convert(written, kind, strict=False)
    except msgspec.ValidationError:
        parts = [part.strip() for part in written.split(",") if part.strip()]
        return msgspec.convert(parts, kind, strict=False)


def chosen_in(task: AnyTask, options: msgspec.Struct) -> dict[str, str]:
    """What options of choice are set to, as it is written."""
    return {
        name: written
        for name, values in choices_of(task).items()
        for written, value in values.items()
        if value == getattr(options, name)
    }


def written_options(task: AnyTask, options: msgspec.Struct) -> dict[str, str]:
    """What every option is set to, as it is written."""
    values = msgspec.to_builtins(options)
    plain = {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in values.items()
        if isinstance(value, str | int | float | list)
    }
    return plain | chosen_in(task, options)


def command_text(name: str, chosen: Mapping[str, str], words: str = "") -> str:
    """The text that says the same."""
    choices = [f"{option}={_quoted(value)}" for option, value in chosen.items()]
    return " ".join([f"/{name}", *choices, *filter(None, (words,))])


def _values(kind: Any) -> dict[str, Any]:
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if kind is bool:
        return {"no": False, "yes": True}
    values = get_args(kind) if get_origin(kind) is Literal else ()
    return {value: value for value in values} if all(map(_is_text, values)) else {}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and '"' not in value


def _quoted(value: str) -> str:
    return value if value and not re.search(r"\s", value) else f'"{value}"'


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(plain_line, names))
