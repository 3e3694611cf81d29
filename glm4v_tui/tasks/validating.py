"""Values held against a JSON Schema that a task's author has written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jsonschema
from jsonschema.validators import extend, validator_for

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_schema(schema: dict[str, Any]) -> None:
    """Raises ValueError: it is no JSON Schema; says where and why."""
    try:
        validator_for(schema).check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(f"{error.json_path}: {error.message}") from error


def validate(value: Any, schema: dict[str, Any]) -> None:
    """Raises ValueError: the value does not fit; says where and why."""
    kind = extend(validator_for(schema), {"multipleOf": _multiple_of})  # type: ignore[no-untyped-call]
    try:
        kind(schema).validate(value)
    except jsonschema.ValidationError as error:
        raise ValueError(f"{error.message} - at `{error.json_path}`") from error


def _multiple_of(
    _validator: Any, step: float, value: Any, _schema: Any
) -> Iterator[jsonschema.ValidationError]:
    """0.3 is a multiple of 0.1, though not when floats are divided."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    times = value / step
    if not math.isclose(times, round(times), rel_tol=0, abs_tol=1e-6):
        yield jsonschema.ValidationError(f"{value} is not a multiple of {step}")
