"""An answer read as a result: whole, cut, or wrong; whatever stands around it."""

from typing import Literal

import msgspec
import pytest

from glm4v_tui.errors import ResultError
from glm4v_tui.result_mark import RESULT_MARK
from glm4v_tui.tasks.results import ResultState, read_result
from glm4v_tui.tasks.task import Task, Words


class Reading(msgspec.Struct, frozen=True):
    kind: Literal["a", "b"]
    text: str = ""


class Read(Task[Reading, msgspec.Struct]):
    name = "read"
    title = summary = "Reads."
    question = Words("What?")
    result_type = Reading


class ReadSchema(Read):
    result_type = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["a", "b"]},
            "text": {"type": "string"},
            "step": {"type": "number", "multipleOf": 0.1},
        },
        "required": ["kind"],
    }


WHOLE = '{"kind": "a", "text": "x"}'
TASKS = pytest.mark.parametrize("task", [Read(), ReadSchema()], ids=["struct", "schema"])


def read(raw, task=Read(), is_finished=True):  # noqa: B008
    return read_result(task, raw, is_finished=is_finished)


@TASKS
@pytest.mark.parametrize(
    "raw",
    [
        WHOLE,
        f"\n {WHOLE} \n",
        f"<think>hm {{</think>{WHOLE}",
        f"<think>hm\n</think>\n<answer>{WHOLE}</answer>",
        f"<|begin_of_box|>{WHOLE}<|end_of_box|>",
        f"It seems fine.\n{RESULT_MARK}{WHOLE}",
        f"It seems fine.\n{RESULT_MARK}{WHOLE}\n```",
        f"First {RESULT_MARK} no, {RESULT_MARK}{WHOLE}",
        f"<think>{RESULT_MARK}{{}}</think>{WHOLE}",
    ],
)
def test_a_whole_result_is_found_whatever_stands_around_it(task, raw):
    result = read(raw, task)
    assert (result.state, result.json) == (ResultState.WHOLE, WHOLE)
    assert msgspec.to_builtins(result.require()) == {"kind": "a", "text": "x"}


@TASKS
@pytest.mark.parametrize("raw", ["", "{", WHOLE[:-1], "<think>hm", f"so {RESULT_MARK}", "<think>a"])
def test_what_ended_too_early_is_incomplete_and_never_whole(task, raw):
    result = read(raw, task, is_finished=False)
    assert (result.state, result.value) == (ResultState.CUT, None)
    with pytest.raises(ResultError, match="incomplete"):
        result.require()


@TASKS
@pytest.mark.parametrize(
    "raw",
    ["A cat.", "", WHOLE[:-1], '{"kind": "c"}', '{"text": "x"}', "[]", WHOLE + WHOLE, "[" * 9999],
)
def test_what_is_not_in_the_form_is_wrong_with_the_reason(task, raw):
    result = read(raw, task)
    assert (result.state, result.value) == (ResultState.WRONG, None)
    assert result.reason
    with pytest.raises(ResultError, match="not in the task's form"):
        result.require()


@TASKS
def test_a_value_that_does_not_fit_is_wrong_also_when_it_was_cut(task):
    assert read('{"kind": "c"}', task, is_finished=False).state is ResultState.WRONG


@TASKS
def test_a_whole_value_is_whole_also_when_only_the_end_mark_was_cut(task):
    assert read(WHOLE, task, is_finished=False).state is ResultState.WHOLE


@TASKS
@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (r"a\u001b[31mb", "ab"),
        (r"\u0000", ""),
        ("\u202eabc", "abc"),
        (r"\u009b2Jx", "x"),
        (r"two\nlines\tof", "two\nlines\tof"),
        ("größe 😀", "größe 😀"),
    ],
)
def test_no_value_holds_what_moves_a_cursor(task, written, kept):
    result = read(f'{{"kind": "a", "text": "{written}"}}', task)
    assert msgspec.to_builtins(result.require())["text"] == kept


@TASKS
@pytest.mark.parametrize("written", [r"\ud800", r"\udc00\ud800", "\ud800"])
def test_half_a_character_is_told_and_never_raised(task, written):
    result = read(f'{{"kind": "a", "text": "{written}"}}', task)
    assert result.state is ResultState.WRONG
    result.reason.encode()


@TASKS
def test_a_choice_that_only_looks_right_is_wrong(task):
    assert read('{"kind": "a\\u0000"}', task).state is ResultState.WRONG


def test_three_tenths_are_a_multiple_of_a_tenth():
    assert read('{"kind": "a", "step": 0.3}', ReadSchema()).state is ResultState.WHOLE
    assert read('{"kind": "a", "step": 0.35}', ReadSchema()).state is ResultState.WRONG
