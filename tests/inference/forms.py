"""A form that is hard to keep to, and tasks that read what is written in it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from glm4v_tui.engine.protocol import ResultForm
from glm4v_tui.tasks.results import Result, read_result
from glm4v_tui.tasks.schema import form_of
from glm4v_tui.tasks.task import Task, Words

Meta = msgspec.Meta
Name = Annotated[str, Meta(max_length=12)]


class Circle(msgspec.Struct, tag="circle"):
    radius: Annotated[float, Meta(gt=0)]


class Square(msgspec.Struct, tag="square"):
    name: Name
    is_full: bool


class Hard(msgspec.Struct):
    kind: Literal["a b", 'quo"te', "größe 东西", "back\\slash", "new\nline"]
    shapes: Annotated[list[Circle | Square], Meta(max_length=3)]
    maybe: Square | None
    grade: Annotated[int, Meta(ge=1, le=10)]
    share: Annotated[float, Meta(ge=0, le=1)]
    number: float
    count: int
    value: Annotated[int, Meta(ge=-5, le=5)] | Name | bool | None
    never: Annotated[list[Name], Meta(max_length=0)]
    text: Annotated[str, Meta(max_length=40)]
    note: Name = ""
    tags: Annotated[list[Name], Meta(max_length=2)] = []


class Short(msgspec.Struct):
    is_good: bool
    grade: Annotated[int, Meta(ge=1, le=10)]


def form(kind: Any, reasoning_tokens: int = 0) -> ResultForm:
    return ResultForm(form_of(kind), reasoning_tokens)


def read(kind: Any, raw: str, *, is_finished: bool = True) -> Result:
    class Reads(Task[Any, msgspec.Struct]):
        name = "reads"
        title = summary = "Reads."
        question = Words("What?")
        result_type = kind

    return read_result(Reads(), raw, is_finished=is_finished)
