"""What contradicts itself is told; what may be true is not."""

import msgspec
import pytest
from glm4v_tui_defect.checks import contradictions
from glm4v_tui_defect.inspection import Defect, DefectOptions, Inspection

DENT = Defect("dent", "center", [400, 400, 600, 600], "minor")


def told(*defects, grade, **options):
    return list(contradictions(Inspection("gear", list(defects), grade), DefectOptions(**options)))


def dent(**changes):
    return msgspec.structs.replace(DENT, **changes)


@pytest.mark.parametrize(
    ("defects", "grade"),
    [
        ([], 10),
        ([], 8),  # some graders never give a ten
        ([dent()], 9),
        ([dent()], 2),  # a small dent where none may be
        ([dent(severity="severe")], 6),
        ([dent(box=[0, 0, 340, 340])], 9),  # reaches a little into the center
        ([dent(place="bottom right", box=[666, 666, 999, 999])], 9),
        ([dent(place="top left", box=[0, 200, 300, 200])], 9),  # a scratch one line high
        ([dent(), dent(box=[500, 500, 600, 600])], 8),
    ],
)
def test_nothing_is_said_of_what_may_be_true(defects, grade):
    assert told(*defects, grade=grade) == []


@pytest.mark.parametrize(
    ("defects", "grade", "says"),
    [
        ([], 4, "no defect is listed"),
        ([dent()], 10, "grade is 10"),
        ([dent(severity="severe")], 7, "severe defect"),
        ([dent(box=[600, 400, 400, 600])], 9, "wrong order"),
        ([dent(box=[500, 500, 500, 500])], 9, "single point"),
        ([dent(box=[0, 0, 999, 999])], 9, "whole picture"),
        ([dent(place="top right")], 9, "does not touch the top right"),
        ([dent(place="top left", box=[334, 0, 400, 100])], 9, "does not touch the top left"),
        ([dent(), dent()], 8, "Defects 1 and 2 are one"),
    ],
)
def test_a_contradiction_is_told_in_words(defects, grade, says):
    (problem,) = told(*defects, grade=grade)
    assert says in problem


def test_the_grade_that_passes_is_the_users():
    severe = dent(severity="severe")
    assert told(severe, grade=7, passing_grade=8) == []
    assert "severe" in told(severe, grade=4, passing_grade=3)[0]


def test_a_type_beyond_the_users_classes_is_told():
    """Only an engine that does not bind answers can write one."""
    assert told(dent(), grade=9, classes=("dent", "scratch")) == []
    assert "not one of the classes" in told(dent(), grade=9, classes=("scratch",))[0]
