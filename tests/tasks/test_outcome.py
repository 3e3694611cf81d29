"""What a task says of its own result; a task that is wrong there is told and hides nothing."""

import sys

import msgspec
import pytest

from glm4v_tui.chat import Attachment, Box
from glm4v_tui.tasks.outcome import outcome_of, record_of
from glm4v_tui.tasks.panel import Badge, Panel, Region, Row, Table, Tone, plain_panel
from glm4v_tui.tasks.results import ResultState

from .fakes import RAW, Look, call_of

VALUE = {"kind": "dent", "note": "left", "box": [0, 0, 499, 999]}


def outcome(task, raw=RAW, is_finished=True):
    return outcome_of(task, call_of(task), raw, is_finished=is_finished)


def test_a_whole_result_is_checked_shown_and_placed():
    seen = outcome(Look())
    assert seen.value == VALUE
    assert seen.panel == Panel((Badge("dent", Tone.BAD),), (Row("Note", "left"),))
    assert seen.regions == ((Region(Box(0, 0, 100, 100), "dent"),),)
    assert seen.warnings == ("small",)


@pytest.mark.parametrize(("raw", "is_finished"), [(RAW[:-1], False), ("A cat.", True)])
def test_what_is_not_whole_is_not_given_to_the_task(raw, is_finished):
    class Never(Look):
        def check(self, result, facts):
            raise AssertionError

        render = regions = check

    seen = outcome(Never(), raw, is_finished)
    assert seen.result.state is not ResultState.WHOLE
    assert (seen.value, seen.panel, seen.regions, seen.warnings) == (None, Panel(), (), ())


def raising(self, *_):
    raise ValueError("\x1b[31mred\nlines")


def leaving(self, *_):
    sys.exit(3)


@pytest.mark.parametrize("failing", [raising, leaving])
@pytest.mark.parametrize("where", ["check", "render", "regions"])
def test_a_fault_in_one_place_is_told_and_hides_nothing_else(where, failing):
    seen = outcome(type("Faulty", (Look,), {where: failing})())
    *doubts, fault = seen.warnings
    assert fault.startswith("The task look failed while")
    assert "\x1b" not in fault
    assert "\n" not in fault
    assert doubts == ([] if where == "check" else ["small"])
    assert seen.panel == (plain_panel(VALUE) if where == "render" else outcome(Look()).panel)
    assert seen.regions == (((),) if where == "regions" else outcome(Look()).regions)


@pytest.mark.parametrize(
    ("where", "given", "said"),
    [
        ("render", None, "NoneType, not a Panel"),
        ("render", "text", "str, not a Panel"),
        ("render", Panel(parts=(Row("Size", 3),)), "Expected `str`"),
        ("render", Panel(badges=("dent",)), "Expected `object`"),
        ("render", Panel(parts=(Table("T", ("a", "b"), (("1",),)),)), "cells"),
        ("regions", [Box(0, 0, 1, 1)], "Expected `object`"),
        ("regions", [Region((0, 0, 1), "x")], "length"),
        ("regions", [Region(Box(0, 0, 1.5, 1), "x")], "Expected `int`"),
        ("regions", 7, "not iterable"),
        ("check", 7, "not iterable"),
    ],
)
def test_wrong_types_are_told(where, given, said):
    seen = outcome(type("Faulty", (Look,), {where: lambda *_: given})())
    assert said in seen.warnings[-1]
    assert seen.value == VALUE


@pytest.mark.parametrize(
    ("given", "told"),
    [("one text", ("one text",)), (None, ()), ((), ()), (["a\x1b[2Jb", 3], ("ab", "3"))],
)
def test_doubts_come_in_any_list_of_lines(given, told):
    assert outcome(type("Odd", (Look,), {"check": lambda *_: given})()).warnings == told


def test_regions_may_be_none_or_generated():
    assert outcome(type("Odd", (Look,), {"regions": lambda *_: None})()).regions == ((),)
    one = Region(Box(0, 0, 1, 1), "x")
    assert outcome(type("Odd", (Look,), {"regions": lambda *_: iter([one])})()).regions == ((one,),)


def test_a_panel_of_lists_comes_out_as_one_of_tuples():
    given = Panel([Badge("x")], [Table("T", ["a"], [["1"]])])
    seen = outcome(type("Odd", (Look,), {"render": lambda *_: given})())
    assert seen.panel == Panel((Badge("x"),), (Table("T", ("a",), (("1",),)),))


# Records ----------------------------------------------------------------------------------------

PHOTO = Attachment("/home/jane/doe.png", "ab" * 32, 200, 100, Box(1, 2, 201, 102))


def test_a_record_holds_what_an_export_needs():
    task = Look()
    record = record_of(task, call_of(task), outcome(task), PHOTO, model="m", label="ok")
    assert msgspec.json.decode(msgspec.json.encode(record)) == {
        "task": "look", "version": "2", "digest": "ab" * 32, "width": 200, "height": 100,
        "result": VALUE, "path": "/home/jane/doe.png", "crop": [1, 2, 201, 102],
        "regions": [[[0, 0, 100, 100], "dent"]], "label": "ok", "warnings": ["small"],
        "notice": "Only a test.", "facts": {"code": "123"}, "model": "m",
        "options": {"level": 3, "strict": False, "words": []},
    }  # fmt: skip


def test_a_private_tasks_record_names_no_file():
    task = type("Private", (Look,), {"is_private": True})()
    record = record_of(task, call_of(task), outcome(task), PHOTO)
    assert b"jane" not in msgspec.json.encode(record)
    assert b"doe" not in msgspec.json.encode(record)
