"""A bounded schema has an end, allows nothing that the author's does not, and hides nothing."""

import datetime
import decimal
import json
import random
from typing import Annotated, Any, Literal

import jsonschema
import msgspec
import pytest

from glm4v_tui.plain import plain_text
from glm4v_tui.tasks.bounds import FINEST, LARGEST, LIST_LENGTH, TEXT_LENGTH
from glm4v_tui.tasks.schema import form_of, schema_of

from .grammar import lets_through, random_result

Meta = msgspec.Meta


class Part(msgspec.Struct):
    name: str
    size: float
    is_bad: bool


class Circle(msgspec.Struct, tag="circle"):
    radius: Annotated[float, Meta(gt=0)]


class Square(msgspec.Struct, tag="square"):
    side: int
    corners: tuple[int, str] = (4, "sharp")


class Everything(msgspec.Struct):
    kind: Literal["a b", 'quo"te', "größe 东西", "back\\slash", "new\nline", 7]
    part: Part
    parts: list[Part]
    maybe: Part | None
    shape: Circle | Square
    grade: Annotated[int, Meta(ge=1, le=10)]
    share: Annotated[float, Meta(ge=0, le=1)]
    value: int | str | bool | None
    colors: set[str]
    counts: dict[str, int]
    seen: datetime.date
    number: float
    note: str = ""
    tags: list[str] = []


class Node(msgspec.Struct):
    name: str
    children: list["Node"] = []


def object_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def walk(node: Any) -> Any:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def without_steps(node: Any) -> Any:
    """jsonschema divides floats, where 0.3 is no multiple of 0.1."""
    for part in walk(node):
        part.pop("multipleOf", None)
    return node


# Random results ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_a_random_result_ends_fits_and_can_be_read(seed):
    form = form_of(Everything)
    text = random_result(form, random.Random(seed))
    msgspec.json.decode(text, type=Everything)
    jsonschema.validate(json.loads(text), without_steps(json.loads(form)))
    assert plain_text(text) == text


@pytest.mark.parametrize("seed", range(20))
def test_a_random_number_has_few_digits(seed):
    class Numbers(msgspec.Struct):
        free: float
        count: int
        share: Annotated[float, Meta(ge=0.5, le=2.25)]
        positive: Annotated[float, Meta(gt=0)]
        negative: Annotated[float, Meta(lt=0)]
        many: Annotated[int, Meta(ge=3)]
        tiny: Annotated[float, Meta(ge=0, le=1e-6)]
        huge: Annotated[float, Meta(ge=1e12)]
        fixed: Annotated[float, Meta(ge=0.1, le=0.1)]

    text = random_result(form_of(Numbers), random.Random(seed))
    msgspec.json.decode(text, type=Numbers)
    assert len(text) < 300


def test_a_hot_text_ends_at_its_longest():
    class Text(msgspec.Struct):
        text: str

    lengths = [
        len(msgspec.json.decode(random_result(form_of(Text), random.Random(seed)), type=Text).text)
        for seed in range(30)
    ]
    assert 0 < max(lengths) <= TEXT_LENGTH


# What is let through ----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0", "-0.5", "12.25", "1000000000", "-1.000001", "3.10"])
def test_numbers_that_a_task_may_want_can_be_written(text):
    assert lets_through(form_of({"type": "number"}), text)


@pytest.mark.parametrize("text", ["1e5", "1E400", "0.12345678", "12345678901", "NaN", "Infinity"])
def test_numbers_without_an_end_cannot(text):
    assert not lets_through(form_of({"type": "number"}), text)


@pytest.mark.parametrize(
    "text",
    [r"\u0000", r"\u001b[31m", "\x7f", "\x9b31m", "\u202e", "\ufeff", r"\ud800", "\ud800", r"\r"],
)
def test_no_text_holds_what_moves_a_cursor(text):
    assert not lets_through(form_of({"type": "string"}), f'"{text}"')


@pytest.mark.parametrize("text", [r"two\nlines", r"a\tb", r"\"quoted\" \\", "größe 东西 😀", ""])
def test_texts_that_a_task_may_want_can_be_written(text):
    assert lets_through(form_of({"type": "string"}), f'"{text}"')


def test_limits_of_the_author_stay():
    schema = object_of(
        text={"type": "string", "minLength": 2, "maxLength": 300},
        count={"type": "integer", "minimum": 5 * LARGEST},
        list={"type": "array", "items": {"type": "boolean"}, "minItems": 20},
        step={"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.25},
    )
    form = form_of(schema)
    whole = {"text": "x" * 300, "count": 6 * LARGEST, "list": [True] * 20, "step": 0.75}
    assert lets_through(form, json.dumps(whole))
    for key, value in {"text": "x", "count": LARGEST, "list": [True] * 19, "step": 0.1}.items():
        assert not lets_through(form, json.dumps(whole | {key: value})), key
    assert not lets_through(form, json.dumps(whole | {"more": 1}))


def test_free_names_are_few_and_short():
    form = form_of({"type": "object", "additionalProperties": {"type": "integer"}})
    assert lets_through(form, '{"left": 1, "right side": 2}')
    assert not lets_through(form, json.dumps({"x" * 41: 1}))
    assert not lets_through(form, json.dumps({f"n{i}": i for i in range(LIST_LENGTH + 1)}))


def test_a_nullable_type_is_bounded_as_well():
    form = form_of(object_of(a={"type": ["string", "null"]}, b={"type": ["number", "null"]}))
    assert lets_through(form, '{"a": null, "b": null}')
    assert lets_through(form, '{"a": "x", "b": 1.5}')
    assert not lets_through(form, json.dumps({"a": "x" * 201, "b": 1}))
    assert not lets_through(form, '{"a": "x", "b": 1.55555555555}')


def test_types_that_are_meant_need_not_be_said():
    form = form_of({"properties": {"a": {"items": {"type": "integer"}}}, "required": ["a"]})
    assert lets_through(form, '{"a": [1]}')
    assert not lets_through(form, "1")


def test_parts_of_one_object_are_not_closed_against_each_other():
    parts = [object_of(a={"type": "integer"}), object_of(b={"type": "integer"})]
    assert lets_through(form_of({"allOf": parts}), '{"a": 1, "b": 2}')


@pytest.mark.parametrize("name", ["enum", "const", "default", "required", "examples", "type"])
def test_a_field_may_be_called_as_a_keyword_is(name):
    form = form_of(object_of(**{name: {"type": "string"}}))
    assert lets_through(form, json.dumps({name: "x"}))
    assert not lets_through(form, json.dumps({name: "x" * 201}))


def test_a_pattern_or_format_of_the_author_gets_a_length():
    form = form_of(object_of(a={"type": "string", "pattern": "^[a-c]*$"}))
    assert lets_through(form, '{"a": "abc"}')
    assert not lets_through(form, json.dumps({"a": "a" * 201}))


def test_the_authors_own_schema_is_not_changed():
    schema = object_of(a={"type": "string"}, b={"type": "array", "items": {"type": "number"}})
    before = json.dumps(schema)
    form_of(schema)
    assert json.dumps(schema) == before
    assert schema_of(schema) is schema


def test_a_set_is_a_list_to_the_grammar():
    class Colors(msgspec.Struct):
        colors: set[str]

    assert "uniqueItems" not in form_of(Colors)
    assert lets_through(form_of(Colors), '{"colors": ["red", "red"]}')


@pytest.mark.parametrize("span", [10.0**k for k in range(-6, 13, 3)])
def test_steps_are_fine_enough_and_never_finer_than_can_be_bound(span):
    schema = {"type": "number", "minimum": 0, "maximum": span}
    (number,) = [n for n in walk(json.loads(form_of(schema))) if n.get("type") == "number"]
    assert number["multipleOf"] >= FINEST
    assert span / number["multipleOf"] >= 999.9
    assert lets_through(json.dumps(number), "0")


# What has no end --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Node, "Node holds itself"),
        ({}, "the result may be anything"),
        (object_of(a={}), "a may be anything"),
        (object_of(a=True), "a may be anything"),
        (object_of(a=object_of(b={"description": "what?"})), "a.b may be anything"),
        ({"type": "object"}, "may hold anything"),
        ({"type": "object", "additionalProperties": True}, "may hold anything"),
        (object_of(a={"type": "array"}), "a is a list of anything"),
        (object_of(a={"type": "array", "items": {}}), r"a\[\] may be anything"),
        (object_of(a={"$ref": "#/$defs/b"}), "leads nowhere"),
        (object_of(a={"$ref": "https://example.org/b"}), "leads nowhere"),
        ({"$ref": "#"}, "refers to itself"),
        (
            {
                "$ref": "#/$defs/a",
                "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
            },
            "itself",
        ),
        (object_of(a={"enum": ["x\x1b[31m"]}), "invisible"),
    ],
)
def test_a_form_without_an_end_is_refused_with_its_place(kind, said):
    with pytest.raises(TypeError, match=said):
        form_of(kind)


def test_what_no_model_writes_is_refused():
    class Raw(msgspec.Struct):
        data: bytes

    class Exact(msgspec.Struct):
        price: decimal.Decimal

    with pytest.raises(TypeError, match="data is of a type"):
        form_of(Raw)
    with pytest.raises(TypeError, match="price is of a type"):
        form_of(Exact)
