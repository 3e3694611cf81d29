"""Labels: what the model would say, which results speak for which, and every mistake in words."""

import msgspec
import pytest

from glm4v_tui.errors import SettingsError
from glm4v_tui.tasks.call import make_call
from glm4v_tui.tasks.checking import check_task
from glm4v_tui.tasks.outcome import outcome_of
from glm4v_tui.tasks.rehearsal import rehearse
from glm4v_tui.tasks.task import Label, Language, NoOptions, Task, Words
from glm4v_tui.tasks.toml_task import load_toml_task

FILE = """\
name = "bottles"
question = "How full?"
label_question = "Is the bottle full and closed? Answer yes or no."
[fields.level]
type = "whole number"
[fields.cap]
type = "choice"
choices = ["on", "off", "crooked"]
[fields.wet]
type = "yes/no"
[fields.flaws]
type = "text"
list = true
optional = true
[[labels]]
name = "empty"
when = { level = 0 }
[[labels]]
name = "pass"
key = "p"
answer = "Yes"
when = { cap = "on", level = { min = 90 }, flaws = false, wet = false }
[[labels]]
name = "dirty"
when = { flaws = ["dust", "mud"] }
[[labels]]
name = "fail"
answer = "No"
when = "otherwise"
[[labels]]
name = "review"
"""


@pytest.fixture
def load(tmp_path):
    def load_it(text):
        file = tmp_path / "bottles.toml"
        file.write_text(text, encoding="utf-8")
        return load_toml_task(file)

    return load_it


def label_of(task, **values):
    text = msgspec.json.encode({"level": 95, "cap": "on", "wet": False} | values).decode()
    call = make_call(task, NoOptions(), Language.EN, [])
    outcome = outcome_of(task, call, text, is_finished=True)
    assert outcome.failures == ()
    return outcome.label


def test_a_task_file_says_what_the_model_is_asked(load):
    task = load(FILE)
    assert check_task(task) == rehearse(task) == []
    assert task.label_question == Words("Is the bottle full and closed? Answer yes or no.")
    answers = {label.name: label.answer for label in task.labels}
    assert answers == {"empty": "", "pass": "Yes", "dirty": "", "fail": "No", "review": ""}


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ({}, "pass"),
        ({"flaws": None}, "pass"),
        ({"flaws": []}, "pass"),
        ({"level": 90}, "pass"),
        ({"level": 89}, "fail"),
        ({"cap": "crooked"}, "fail"),
        ({"wet": True}, "fail"),
        ({"flaws": ["a crack"]}, "fail"),
        ({"flaws": ["a crack", "mud"]}, "dirty"),
        ({"level": 0, "cap": "off"}, "empty"),
    ],
)
def test_a_result_speaks_for_the_first_label_that_fits(load, values, label):
    assert label_of(load(FILE), **values) == label


def test_without_rules_a_result_speaks_for_none(load):
    task = load(FILE.partition("[[labels]]")[0].replace("label_question", "# ") + "[[labels]]\n"
                'name = "x"\n')  # fmt: skip
    assert label_of(task) is None


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ("{ levle = 5 }", "empty: when: there is no field levle; did you mean"),
        ("{ cap = 'no' }", "cap cannot be 'no'; it is one of on, off, crooked"),
        ("{ cap = true }", "cap cannot be True; it is one of on, off, crooked"),
        ("{ level = '5' }", "level cannot be '5'; it is a number, or { min = ..., max = ... }"),
        ("{ level = { least = 5 } }", "level cannot be {'least': 5}; it is a number"),
        ("{ level = {} }", "level cannot be {}; it is a number"),
        ("{ wet = 'yes' }", "wet cannot be 'yes'; it is true or false"),
        ("{ flaws = 3 }", "flaws cannot be 3; it is a text; or true where there is something"),
        ("{ level = [] }", "level: an empty list fits no result"),
        ("{}", 'expected { FIELD = VALUE } or "otherwise"'),
        ("5", 'expected { FIELD = VALUE } or "otherwise"'),
        ("'otherwise'", 'empty: when = "otherwise" leaves nothing to the labels below'),
    ],
)
def test_a_wrong_rule_is_told_with_its_line(load, when, says):
    with pytest.raises(SettingsError) as caught:
        load(FILE.replace("{ level = 0 }", when))
    assert says in caught.value.body
    assert ":15: labels: " in caught.value.body


def task_with(labels, question="Is it good?", label_of=None):
    members = {
        "name": "t", "title": "T", "summary": "s", "question": Words("q"), "labels": labels,
        "label_question": Words(question),
        "result_type": msgspec.defstruct("R", [("good", bool)], frozen=True),
    }  # fmt: skip
    if label_of is not None:
        members["label_of"] = lambda self, result, options: label_of(result)
    return type("T", (Task,), members)()


YES, NO = Label("a", answer="Yes"), Label("b", answer="No")


@pytest.mark.parametrize(
    ("labels", "question", "says"),
    [
        ((YES, NO), "", "t: labels have answers, and there is no label_question to them"),
        ((YES, Label("b")), "Good?", "t: the label_question needs two labels with an answer"),
        ((), "Good?", "t: the label_question needs two labels with an answer"),
        ((YES, Label("b", answer="Yes")), "Good?", "the answer 'Yes' of a label begins another's"),
        ((Label("a", answer="No"), Label("b", answer="No defect")), "Good?", "'No' of a label beg"),
        ((YES, Label("b", answer="No ")), "Good?", "an answer of a label has blanks around it"),
        ((YES, Label("b", answer=5)), "Good?", "what a Label(...) holds is text"),
    ],
)
def test_what_cannot_be_asked_is_told(labels, question, says):
    found = check_task(task_with(labels, question))
    assert says in "\n".join(found)


def test_answers_that_differ_are_fine():
    assert check_task(task_with((YES, NO, Label("c")))) == []
    assert check_task(task_with((Label("a"), Label("b")), "")) == []


@pytest.mark.parametrize(
    ("speaks", "says"),
    [
        (lambda _: "c", "ValueError: label_of gave 'c', which is none of the task's labels"),
        (lambda result: result.bad, "failed while telling the label of its result: AttributeError"),
    ],
)
def test_plugin_check_tries_label_of(speaks, says):
    assert says in "\n".join(rehearse(task_with((YES, NO), label_of=speaks)))


def test_a_label_of_that_fails_spoils_nothing_else():
    task = task_with((YES, NO), label_of=lambda result: 1 // 0)
    call = make_call(task, NoOptions(), Language.EN, [])
    outcome = outcome_of(task, call, '{"good": true}', is_finished=True)
    assert outcome.label is None
    assert outcome.value == {"good": True}
    assert "ZeroDivisionError" in outcome.failures[0]
