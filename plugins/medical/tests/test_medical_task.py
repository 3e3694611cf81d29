"""The task: windows, slices, question, doubts, panel, and the program as a whole."""

import hashlib
import json

import msgspec
import numpy as np
import pytest
from glm4v_tui_medical.report import Finding, Report
from glm4v_tui_medical.task import MedicalOptions, MedicalTask
from glm4v_tui_medical.window import PRESETS
from medical_files import LOCAL, ct, saved
from medical_program import ask

from glm4v_tui import Facts, images
from glm4v_tui.config import task_options
from glm4v_tui.errors import SettingsError
from glm4v_tui.tasks.asking import ask_about, choose_of
from glm4v_tui.tasks.checking import check_task
from glm4v_tui.tasks.outcome import outcome_of, record_of
from glm4v_tui.tasks.task import Language
from glm4v_tui.tasks.text import panel_lines

TASK = MedicalTask()
NODULE = Finding("nodule", "upper lobe", "left", None, "likely")


def report(*findings, impression="A nodule.", urgency="soon"):
    return Report(list(findings), "clear", impression, "Follow up.", urgency)


def asked(*paths, **options):
    files = [(path, None) for path in paths]
    return ask_about(TASK, files, Language.EN, options=MedicalOptions(**options))


def test_it_fits_the_contract():
    assert check_task(TASK) == []
    assert TASK.is_private
    assert TASK.notice == "Not for diagnosis."
    assert [label.name for label in TASK.labels] == ["normal", "abnormal", "urgent", "repeat"]


@pytest.mark.parametrize(
    ("told", "label"),
    [
        (report(urgency="routine"), "normal"),
        (report(NODULE), "abnormal"),
        (report(NODULE, urgency="urgent"), "urgent"),
        (report(urgency="urgent"), "urgent"),
    ],
)
def test_a_report_speaks_for_a_label(told, label):
    assert TASK.label_of(told, MedicalOptions()) == label


def test_the_model_is_asked_in_the_words_it_was_trained_on():
    assert TASK.label_question.en == "Is the image normal? Answer yes or no."
    answers = {label.name: label.answer for label in TASK.labels}
    assert answers == {"normal": "Yes", "abnormal": "No", "urgent": "", "repeat": ""}


# windows ----------------------------------------------------------------------------------------


def test_the_presets():
    """As the OHIF viewer has them; a lung window of 150 is a known slip."""
    assert {name: (window.width, window.center) for name, window in PRESETS.items()} == {
        "soft tissue": (400, 40),
        "lung": (1500, -600),
        "liver": (150, 90),
        "bone": (2500, 480),
        "brain": (80, 40),
    }


@pytest.mark.parametrize(
    ("window", "black", "gray", "white"),
    [
        ("soft tissue", -160, 40, 239),
        ("lung", -1350, -600, 149),
        ("liver", 15, 90, 164),
        ("bone", -770, 480, 1729),
        ("brain", 0, 40, 79),
    ],
)
def test_a_preset_shows_its_values(tmp_path, window, black, gray, white):
    stored = np.array([[black, gray, white]], np.int16)
    slice_ = ct(stored, RescaleIntercept=0, WindowCenter=7, WindowWidth=77)
    shown = asked(saved(tmp_path / "a.dcm", slice_), window=window).opened[0].image
    values = [shown.getpixel((x, 0))[0] for x in range(3)]
    assert (values[0], values[2]) == (0, 255)
    assert abs(values[1] - 128) <= 2


def test_auto_is_the_files_window_and_others_are_left_alone(tmp_path):
    plain = images.open_image(LOCAL / "CT_small.dcm")
    assert asked(LOCAL / "CT_small.dcm").opened[0].image.tobytes() == plain.image.tobytes()
    scan = LOCAL / "MR_small.dcm"
    lung = asked(scan, window="lung").opened[0].image
    assert lung.tobytes() == images.open_image(scan).image.tobytes()


def test_a_montage_is_three_windows_side_by_side():
    montage = asked(LOCAL / "CT_small.dcm", window="montage")
    parts = [asked(LOCAL / "CT_small.dcm", window=one).opened[0].image
             for one in ("lung", "soft tissue", "bone")]  # fmt: skip
    sheet = montage.opened[0].image
    assert sheet.size == (3 * 128, 128)
    for place, part in enumerate(parts):
        cut = sheet.crop((128 * place, 0, 128 * (place + 1), 128))
        assert cut.tobytes() == part.tobytes()
    assert "lung, soft tissue and bone" in montage.text


def test_inverted_scans_are_inverted_by_a_preset_too(tmp_path):
    slice_ = ct(np.array([[-160, 239]], np.int16), RescaleIntercept=0,
                PhotometricInterpretation="MONOCHROME1")  # fmt: skip
    shown = asked(saved(tmp_path / "a.dcm", slice_), window="soft tissue").opened[0].image
    assert [shown.getpixel((x, 0))[0] for x in range(2)] == [255, 0]


def test_the_window_is_in_the_key_the_panel_and_the_record():
    lung, bone = (asked(LOCAL / "CT_small.dcm", window=name) for name in ("lung", "bone"))
    assert lung.attachments[0].key != bone.attachments[0].key
    raw = msgspec.json.encode(report(NODULE)).decode()
    outcome = outcome_of(TASK, lung.call, raw, is_finished=True)
    assert [badge.text for badge in outcome.panel.badges] == ["lung W 1500 L -600", "soon"]
    record = record_of(TASK, lung.call, outcome, lung.attachments[0])
    assert record.options["window"] == "lung"
    assert (record.path, record.notice) == (None, "Not for diagnosis.")


def test_without_a_window_there_is_no_badge_of_one(tmp_path):
    import PIL.Image

    path = tmp_path / "a.png"
    PIL.Image.new("L", (9, 9)).save(path)
    question = asked(path, window="lung")
    panel = TASK.render(report(), question.call.facts, MedicalOptions(window="lung"))
    assert [badge.text for badge in panel.badges] == ["soon"]


# slices -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "slices", "places"),
    [(60, 3, (10, 30, 50)), (60, 1, (30,)), (2, 3, (0, 1)), (1, 3, (0,)), (5, 3, (0, 2, 4))],
)
def test_slices_are_evenly_spaced(count, slices, places):
    assert TASK.choose(count, MedicalOptions(slices=slices)) == places


def test_options_come_from_the_settings(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[tasks.medical]\nwindow = "lung"\nslices = 5\n')
    assert task_options("medical", MedicalOptions, path) == MedicalOptions("lung", 5)
    path.write_text('[tasks.medical]\nwindow = "lungs"\n')
    with pytest.raises(SettingsError, match="window"):
        task_options("medical", MedicalOptions, path)


# words ------------------------------------------------------------------------------------------


def test_the_question_begins_as_the_embedded_model_knows_it():
    assert asked(LOCAL / "CT_small.dcm").text == "Report the findings as JSON."
    assert "所见" in TASK.ask([], MedicalOptions(), Language.ZH)
    assert "2 images" in asked(LOCAL / "CT_small.dcm", LOCAL / "MR_small.dcm").text


SCALE = Facts(9, 9, "DICOM", {"pixel_spacing_mm": [1, 1]})
PLAIN = Facts(9, 9, "PNG")
LATERAL = Facts(9, 9, "DICOM", {"view": "LL"})


@pytest.mark.parametrize(
    ("said", "facts", "doubt"),
    [
        (report(NODULE), SCALE, None),
        (report(impression="Normal.", urgency="routine"), PLAIN, None),
        (report(NODULE, impression="The lungs are normal."), PLAIN, "says normal"),
        (report(NODULE, impression="A nodule; otherwise normal."), PLAIN, None),
        (report(NODULE, impression="Abnormal."), PLAIN, None),
        (report(NODULE, impression="Not normal."), PLAIN, None),
        (report(NODULE, impression="未见异常。"), PLAIN, "says normal"),
        (report(urgency="urgent"), PLAIN, "urgent"),
        (report(NODULE, NODULE), PLAIN, "twice"),
        (report(Finding("no effusion", "", "none", None, "certain")), PLAIN, "is listed"),
        (report(Finding("nodule", "right lung", "left", None, "likely")), PLAIN, "says right"),
        (report(Finding("nodule", "right lung", "both", None, "likely")), PLAIN, None),
        (report(NODULE), LATERAL, "from the side"),
        (report(Finding("nodule", "", "none", "8 mm", "likely")), PLAIN, "no scale"),
        (report(Finding("nodule", "", "none", "8 mm", "likely")), SCALE, None),
        (report(Finding("nodule", "", "none", "small", "likely")), PLAIN, None),
    ],
)
def test_what_is_doubtful(said, facts, doubt):
    found = TASK.check(said, [facts], MedicalOptions())
    assert len(found) == (doubt is not None)
    assert all(doubt in one for one in found)


def test_the_panel_in_lines():
    lines = "\n".join(
        panel_lines(TASK.render(report(NODULE, urgency="urgent"), (), MedicalOptions()))
    )
    assert lines.startswith("[!! urgent]")
    assert "nodule  upper lobe  left           –     likely" in lines
    assert "Findings: none" in "\n".join(panel_lines(TASK.render(report(), (), MedicalOptions())))


def test_a_long_report_is_not_cut():
    """1,536 tokens are enough for one of all texts but two findings' at their longest, at a
    character a token, as Chinese has it at worst."""
    full = Finding("部" * 48, "位" * 48, "both", "大" * 24, "certain")
    long = Report([full] * 6, "纹" * 60, "印" * 240, "建" * 160, "routine")
    names = len(msgspec.json.encode(report(*[NODULE] * 6))) / 3  # English: 3 characters a token
    texts = sum(map(len, (*[full.what + full.where + full.size] * 6, long.texture,
                          long.impression, long.recommendation)))  # fmt: skip
    assert names + texts < TASK.generation.max_new_tokens


def test_every_text_of_a_report_is_bounded():
    """A report of the longest texts decodes, one character more does not."""
    full = Finding("a" * 48, "b" * 48, "both", "c" * 24, "certain")
    longest = Report([full] * 8, "d" * 60, "e" * 240, "f" * 160, "urgent")
    assert msgspec.json.decode(msgspec.json.encode(longest), type=Report) == longest
    for name in ("texture", "impression", "recommendation"):
        longer = msgspec.structs.replace(longest, **{name: getattr(longest, name) + "x"})
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(msgspec.json.encode(longer), type=Report)


# the program ------------------------------------------------------------------------------------


@pytest.fixture
def scan(tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    for name, place in enumerate((4, 0, 3, 1, 5, 2)):
        slice_ = ct(np.full((8, 8), place, np.int16), ImagePositionPatient=[0, 0, place],
                    ImageOrientationPatient=[1, 0, 0, 0, 1, 0])  # fmt: skip
        saved(folder / f"IM{name}", slice_)
    (folder / "notes.txt").write_text("no image")
    return folder


def test_a_folder_is_asked_about_by_three_slices(tmp_path, scan):
    done = ask(tmp_path, scan, "--task", "medical", "--json", script=report(NODULE))
    assert done.returncode == 0, done.stderr
    assert "a series of 6 images, asked about: 2, 4, 6" in done.stderr
    answer = json.loads(done.stdout)
    assert answer["result"]["findings"][0]["what"] == "nodule"
    assert answer["usage"]["image_tokens"] == 3 * 100


def test_the_slices_of_a_folder_are_those_of_the_scan(scan):
    choice = choose_of(TASK, scan)
    assert [path.name for path in choice.files] == ["IM3", "IM2", "IM4"]  # at 1, 3 and 5 mm


def test_named_slices_are_put_in_order_too(tmp_path, scan):
    export = tmp_path / "out.jsonl"
    paths = [scan / "IM0", scan / "IM2", scan / "IM1"]  # at 4, 3 and 0 mm
    done = ask(tmp_path, *paths, "--task", "medical", "--export", export, script=report())
    assert done.returncode == 0, done.stderr
    first = hashlib.sha256((scan / "IM1").read_bytes()).hexdigest()
    assert json.loads(export.read_text())["digest"] == first


def test_a_folder_is_no_series_without_a_task_or_without_scans(tmp_path, scan):
    for arguments in ((scan, "-q", "What?"), (tmp_path, "--task", "medical")):
        done = ask(tmp_path, *arguments, script=report())
        assert (done.returncode, done.stdout) == (3, "")
        assert "This is a folder" in done.stderr


def test_a_cut_report_of_the_embedded_model_is_told_with_the_notice(tmp_path, scan):
    done = ask(tmp_path, scan / "IM0", "--task", "medical", "--max-new-tokens", "20")
    assert done.returncode == 5
    assert done.stdout.startswith('{"findings"')
    assert done.stdout.endswith("\nNot for diagnosis.\n")
    assert "The result is incomplete" in done.stderr
