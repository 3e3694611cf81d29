"""The task around an inspection: its form, its options, its panel, its boxes."""

import json

import jsonschema
import pytest
from glm4v_tui_defect.inspection import Defect, DefectOptions, Inspection
from glm4v_tui_defect.task import DefectTask

from glm4v_tui import Badge, Box, Facts, Language, Tone
from glm4v_tui.config import task_options
from glm4v_tui.errors import SettingsError
from glm4v_tui.tasks.call import make_call, wording
from glm4v_tui.tasks.outcome import outcome_of
from glm4v_tui.tasks.text import panel_lines

TASK = DefectTask()
OPTIONS = DefectOptions()
TRAINED = "Inspect this image for defects. Answer in JSON."
SCRATCH = {"type": "scratch", "place": "center", "box": [309, 358, 645, 530], "severity": "severe"}
ANSWER = {"product": "metal plate", "defects": [SCRATCH], "grade": 5}


def schema(**options):
    return json.loads(make_call(TASK, DefectOptions(**options), Language.EN, []).schema)


def regions(box, width, height):
    result = Inspection("gear", [Defect("dent", "center", box, "minor")], 9)
    return [region.box for region in TASK.regions(result, Facts(width, height, "PNG"))]


# Form ---------------------------------------------------------------------------------------------


def test_the_form_is_in_the_order_that_the_embedded_model_was_trained_on():
    form = schema()
    assert list(form["$defs"]["Inspection"]["properties"]) == ["product", "defects", "grade"]
    fields = list(form["$defs"]["Defect"]["properties"])
    assert fields == ["type", "place", "box", "severity", "cause"]
    assert "cause" not in form["$defs"]["Defect"]["required"]
    jsonschema.validate(ANSWER, form)


def test_the_users_classes_bind_the_type():
    form = schema(classes=("scratch", "dent", "scratch"))
    assert form["$defs"]["Defect"]["properties"]["type"]["enum"] == ["scratch", "dent"]
    jsonschema.validate(ANSWER, form)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**ANSWER, "defects": [{**SCRATCH, "type": "rust"}]}, form)


def test_the_users_classes_are_told_to_the_model():
    call = make_call(TASK, DefectOptions(classes=("rust",)), Language.EN, [])
    assert '- type ("rust")' in call.system_prompt


def test_the_question_begins_with_the_trained_words():
    assert wording(TASK, OPTIONS, Language.EN, []) == TRAINED
    assert "缺陷" in wording(TASK, OPTIONS, Language.ZH, [])


# Options ------------------------------------------------------------------------------------------


def test_options_come_from_the_users_file(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[tasks.defect]\nclasses = ["rust", "dent"]\npassing_grade = 9\n')
    options = task_options("defect", DefectOptions, file)
    assert options == DefectOptions(("rust", "dent"), 9)


@pytest.mark.parametrize("line", ["passing_grade = 11", 'classes = "rust"', 'classes = [""]'])
def test_a_wrong_option_is_told_by_its_key(tmp_path, line):
    file = tmp_path / "config.toml"
    file.write_text(f"[tasks.defect]\n{line}\n")
    with pytest.raises(SettingsError, match=f"tasks.defect.{line.split(' ')[0]}"):
        task_options("defect", DefectOptions, file)


# Panel --------------------------------------------------------------------------------------------


def outcome(answer, **options):
    facts = [Facts(1000, 500, "PNG")]
    call = make_call(TASK, DefectOptions(**options), Language.EN, facts)
    return outcome_of(TASK, call, json.dumps(answer), is_finished=True)


@pytest.mark.parametrize(
    ("passing", "verdict"), [(5, Badge("pass", Tone.GOOD)), (6, Badge("fail", Tone.BAD))]
)
def test_the_grade_passes_or_fails(passing, verdict):
    badges = outcome(ANSWER, passing_grade=passing).panel.badges
    assert badges == (verdict, Badge("grade 5"), Badge("1 defect", Tone.WARN))


def test_defects_are_numbered_as_their_boxes():
    two = [SCRATCH, {**SCRATCH, "type": "dent", "box": [400, 400, 500, 500], "cause": "a drop"}]
    made = outcome({**ANSWER, "defects": two})
    lines = list(panel_lines(made.panel))
    assert lines[-2].split() == ["1", "scratch", "center", "severe", "–"]
    assert lines[-1].split() == ["2", "dent", "center", "severe", "a", "drop"]
    assert [region.label for region in made.regions[0]] == ["scratch", "dent"]
    assert made.warnings == ()


def test_a_part_without_defects_has_no_table():
    made = outcome({"product": "gear", "defects": [], "grade": 10})
    assert list(panel_lines(made.panel)) == [
        "[+ pass]  [grade 10]  [+ no defects]",
        "Product  gear",
    ]


def test_contradictions_are_warnings_beside_the_result():
    made = outcome({**ANSWER, "grade": 10})
    assert made.value["grade"] == 10
    assert "grade is 10" in made.warnings[0]


# Boxes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "box", "pixels"),
    [
        ((1000, 1000), [309, 358, 645, 530], Box(309, 358, 646, 531)),
        ((640, 480), [150, 273, 377, 584], Box(96, 131, 242, 281)),  # by hand, rounded outwards
        ((4001, 2999), [0, 0, 999, 999], Box(0, 0, 4001, 2999)),  # to the last pixel
        ((4001, 2999), [500, 500, 500, 500], Box(2000, 1499, 2005, 1503)),
        ((7, 3), [999, 999, 999, 999], Box(6, 2, 7, 3)),  # never empty, never outside
        ((1, 1), [400, 400, 600, 600], Box(0, 0, 1, 1)),
        ((333, 777), [600, 100, 200, 50], Box(66, 38, 201, 79)),  # corners in any order
    ],
)
def test_boxes_are_in_pixels_of_the_picture_asked_about(size, box, pixels):
    assert regions(box, *size) == [pixels]


# Label --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grade", "passing", "label"), [(7, 7, "pass"), (6, 7, "fail"), (6, 5, "pass")]
)
def test_the_grade_speaks_for_a_label(grade, passing, label):
    assert TASK.label_of(Inspection("gear", [], grade), DefectOptions((), passing)) == label


def test_the_model_is_asked_in_the_words_it_was_trained_on():
    assert TASK.label_question.en == "Is there a defect? Answer yes or no."
    answers = {one.name: one.answer for one in TASK.labels}
    assert answers == {"pass": "No", "fail": "Yes", "review": ""}
