"""What the model is told about the form it is to answer in."""

from typing import Annotated, Literal

import msgspec

from glm4v_tui.tasks.form_words import describe_form
from glm4v_tui.tasks.task import Language

Meta = msgspec.Meta


class Flaw(msgspec.Struct):
    kind: Literal["scratch", "dent"]
    size: Annotated[float, Meta(ge=0, description="in millimeters")]


class Inside(msgspec.Struct, tag="inside"):
    depth: int


class Outside(msgspec.Struct, tag="outside"):
    color: str


class Report(msgspec.Struct):
    name: Annotated[str, Meta(description="of the product")]
    flaws: list[Flaw]
    worst: Flaw | None
    where: Inside | Outside
    box: Annotated[list[int], Meta(min_length=4, max_length=4)]
    pair: tuple[int, str]
    counts: dict[str, int]
    grade: Annotated[int, Meta(ge=1, le=10)]
    left: Annotated[int, Meta(le=0)]
    is_new: bool
    note: str | None = None


ENGLISH = """\
Answer with one JSON object with these fields:
- name (text): of the product
- flaws (list of object)
  - kind ("dent" | "scratch")
  - size (number of at least 0): in millimeters
- worst (object or null)
  - kind ("dent" | "scratch")
  - size (number of at least 0): in millimeters
- where (object)
  - type ("inside")
  - depth (whole number)
  - type ("outside")
  - color (text)
- box (list of 4 whole number)
- pair ([whole number, text])
- counts (object of whole number by name)
- grade (whole number 1 to 10)
- left (whole number up to 0)
- is_new (true | false)
- note (text or null, may be left out)"""


def test_every_field_is_told_with_those_inside_of_it():
    told = describe_form(Report).splitlines()
    wanted = ENGLISH.splitlines()
    assert sorted(told) == sorted(wanted)
    assert [line for line in told if line[0] == "-"] == [line for line in wanted if line[0] == "-"]


def test_in_chinese_only_names_and_the_authors_words_stay():
    told = describe_form(Report, Language.ZH)
    assert "- grade (整数 1 至 10)" in told
    assert "- note (文本 或 null, 可省略)" in told
    assert "list" not in told
    assert "text" not in told
    assert told.splitlines()[0].endswith("字段如下：")


def test_a_schema_of_json_is_told_as_well():
    schema = {
        "properties": {
            "a": {"$ref": "#/definitions/A"},
            "b": {"type": ["integer", "null"], "exclusiveMinimum": 0},
            "c": {"const": "x"},
        },
        "required": ["a", "b", "c"],
        "definitions": {"A": {"type": "array", "items": {"type": "string"}}},
    }
    assert describe_form(schema).splitlines()[1:] == [
        "- a (list of text)",
        "- b (whole number of at least 0 or null)",
        '- c ("x")',
    ]


def test_a_result_that_is_no_object_is_told_too():
    schema = {"type": "array", "items": {"properties": {"a": {"type": "boolean"}}}}
    assert describe_form(schema).splitlines() == [
        "Answer with JSON: list of object",
        "- a (true | false, may be left out)",
    ]
