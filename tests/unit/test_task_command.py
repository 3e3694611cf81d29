"""``/NAME option=value words``: read, told what is wrong, written again."""

from typing import Literal

import msgspec
import pytest

from glm4v_tui import Task, Words
from glm4v_tui.errors import UsageError
from glm4v_tui.tasks.command import (
    Command,
    choices_of,
    chosen_in,
    command_in,
    command_text,
    find_task,
    options_set,
    read_choices,
    with_choices,
)


class Options(msgspec.Struct, frozen=True):
    window: Literal["soft tissue", "lung"] = "soft tissue"
    montage: bool = False
    level: int = 3
    name: str = ""


class Ct(Task[str, Options]):
    name = "ct"
    title = "CT"
    summary = "Reads a CT."
    question = Words("What is seen?")
    result_type = dict[str, str]
    options_type = Options


TASK = Ct()


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/ct", Command("ct", "")),
        ("  /ct \n", Command("ct", "")),
        ("/ct is it\nbroken?", Command("ct", "is it\nbroken?")),
        ("/ct-2 a", Command("ct-2", "a")),
        ("/缺陷", Command("缺陷", "")),
        ("/tmp/a.png", None),
        ("/a.png what?", None),
        ("/", None),
        ("// no", None),
        ("/ no", None),
        ("what is /ct", None),
        ("", None),
    ],
)
def test_a_name_after_a_slash_is_a_command(text, command):
    assert command_in(text) == command


def test_names_are_found_in_any_case_and_the_nearest_is_told():
    assert find_task("CT", {"ct": TASK}) is TASK
    with pytest.raises(UsageError) as caught:
        find_task("defct", {"ct": TASK, "defect": TASK})
    assert 'did you mean "defect"?' in caught.value.title


def test_only_named_values_and_yes_or_no_are_choices():
    assert {name: list(values) for name, values in choices_of(TASK).items()} == {
        "window": ["soft tissue", "lung"],
        "montage": ["no", "yes"],
    }


def test_options_that_make_no_sense_are_no_choices():
    class Odd:
        name = "odd"
        options_type = int

    assert choices_of(Odd()) == {}


@pytest.mark.parametrize(
    ("rest", "chosen", "words"),
    [
        ("", {}, ""),
        ("window=lung", {"window": "lung"}, ""),
        ('window="soft tissue" montage=yes look', {"window": "soft tissue", "montage": "yes"},
         "look"),
        ("is a=b here?", {}, "is a=b here?"),
        ("level=3 is it so?", {"level": "3"}, "is it so?"),
        ("look window=lung", {}, "look window=lung"),
    ],
)  # fmt: skip
def test_choices_stand_before_the_words(rest, chosen, words):
    assert read_choices(TASK, rest) == (chosen, words)
    text = command_text("ct", chosen, words)
    assert read_choices(TASK, command_in(text).rest) == (chosen, words)


@pytest.mark.parametrize("rest", ["window=bone", "window=", "window=soft tissue", "montage=maybe"])
def test_a_wrong_value_is_told_with_the_right_ones(rest):
    with pytest.raises(UsageError) as caught:
        read_choices(TASK, rest)
    assert "cannot be" in caught.value.title
    assert "It is one of" in caught.value.body


@pytest.mark.parametrize("rest", ["levle=3", "foo=bar look", "levle=lung window=lung"])
def test_an_option_that_is_none_is_no_question(rest):
    """Else a mistyped option would be asked in place of the task's own question."""
    with pytest.raises(UsageError) as caught:
        read_choices(TASK, rest)
    assert "has no option" in caught.value.title
    assert "window" in caught.value.body


def test_a_number_that_is_none_is_told_with_what_it_takes():
    with pytest.raises(UsageError) as caught:
        read_choices(TASK, "level=high")
    assert "whole number" in caught.value.body


def test_options_of_the_command_line():
    assert options_set(TASK, Options(), ["level=4", "window=lung"]) == Options("lung", level=4)
    with pytest.raises(UsageError, match="needs a value"):
        options_set(TASK, Options(), ["level"])


def test_choices_replace_what_the_settings_say():
    settings = Options(window="lung", level=7)
    changed = with_choices(TASK, settings, {"montage": "yes"})
    assert changed == Options(window="lung", montage=True, level=7)
    assert chosen_in(TASK, changed) == {"window": "lung", "montage": "yes"}
