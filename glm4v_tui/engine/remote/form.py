"""Results of servers that do not bind answers to a schema: checked, and mended once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.chat import split_answer

if TYPE_CHECKING:
    from glm4v_tui.engine.protocol import ResultForm

_FENCED = re.compile(r"\A\s*```[A-Za-z]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_SHOWN = 500


def result_in(raw: str) -> str:
    """The JSON in an answer: without the thought before it and without a fence around it. What is
    no JSON comes back as it is."""
    text = split_answer(raw).text.strip()
    if fenced := _FENCED.match(text):
        text = fenced[1].strip()
    return text


def problem_of(text: str, form: ResultForm) -> str | None:
    """Why a text is no value of the schema, for the model to read; None when it is one."""
    import jsonschema

    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        return f"it is not JSON ({error})"
    schema: Any = msgspec.json.decode(form.schema)
    found = next(jsonschema.Draft202012Validator(schema).iter_errors(value), None)
    if found is None:
        return None
    place = "/".join(str(step) for step in found.absolute_path)
    return f"at {place or 'its top'}: {found.message[:_SHOWN]}"


def mending(problem: str, form: ResultForm) -> str:
    """What the model is told of its answer."""
    return (
        f"That is not in the form that was asked for: {problem}. Write the same result again, as "
        f"one JSON value of this schema and nothing else:\n{form.schema}"
    )
