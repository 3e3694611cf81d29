"""Nothing of a patient gets out: not to output, export, error, log or state, nor to the model."""

import json
import re

import msgspec
import numpy as np
import pytest
from glm4v_tui_medical.report import Report
from glm4v_tui_medical.task import MedicalOptions, MedicalTask
from medical_files import ct, saved
from medical_program import ask
from pydicom import Dataset

from glm4v_tui import images
from glm4v_tui.errors import ImageError
from glm4v_tui.tasks.asking import ask_about
from glm4v_tui.tasks.task import Language

PATIENT = {
    "PatientName": "Zebrafink^Quastel",
    "PatientID": "PID77553311",
    "PatientBirthDate": "19310713",
    "PatientAge": "093Y",
    "PatientComments": "comment Wollgras",
    "StudyDate": "20190214",
    "StudyTime": "101112.131415",
    "AcquisitionDateTime": "20190215091011",
    "InstitutionName": "Klinikum Morgentau",
    "ReferringPhysicianName": "Dr^Heckenrose",
    "AccessionNumber": "ACC998877",
    "StudyID": "SID4711",
    "StudyDescription": "Thorax Sumpfdotter",
    "SeriesDescription": "series Frauenschuh",
    "ProtocolName": "protocol Wiesensalbei",
    "DeviceSerialNumber": "DSN445566",
    "StudyInstanceUID": "1.2.826.0.1.111222333",
    "SeriesInstanceUID": "1.2.826.0.1.444555666",
    "SOPInstanceUID": "1.2.826.0.1.777888999",
    "FrameOfReferenceUID": "1.2.826.0.1.121212121",
}
FOLDERS = ("WardKornblume", "Nightshade1931.dcm")
SECRET = re.compile(
    "|".join(
        re.escape(word)
        for value in PATIENT.values()
        for word in re.split(r"[\^ ]", value)
        if word.lower() not in ("dr", "comment", "series", "protocol", "thorax", "klinikum")
    ),
    re.IGNORECASE,
)
PATHS = re.compile("|".join(word.partition(".")[0] for word in FOLDERS), re.IGNORECASE)


@pytest.fixture
def scan(tmp_path):
    slice_ = ct(np.arange(64 * 64, dtype=np.int16).reshape(64, 64), **PATIENT)
    slice_.file_meta.MediaStorageSOPInstanceUID = PATIENT["SOPInstanceUID"]
    slice_.add_new(0x00091010, "LO", "private Zebrafink")
    request, frame, content = Dataset(), Dataset(), Dataset()
    request.RequestedProcedureDescription = "Thorax Sumpfdotter"
    slice_.RequestAttributesSequence = [request]
    content.FrameAcquisitionDateTime = PATIENT["AcquisitionDateTime"]
    frame.FrameContentSequence = [content]
    slice_.PerFrameFunctionalGroupsSequence = [frame]
    folder = tmp_path / FOLDERS[0]
    folder.mkdir()
    return saved(folder / FOLDERS[1], slice_)


def told_by(home):
    """All that the program has written into its folders."""
    files = [path for path in (home / "state of the program").rglob("*") if path.is_file()]
    names = "\n".join(str(path.relative_to(home)) for path in files)
    return names + "\n".join(path.read_bytes().decode(errors="replace") for path in files)


def test_the_file_itself_holds_it_all(scan):
    """Else the other tests could not fail."""
    found = set(SECRET.findall(scan.read_bytes().decode("latin-1")))
    assert len(found) >= len(PATIENT)


def test_ask_with_json_export_and_the_embedded_model(tmp_path, scan):
    export = tmp_path / "out.jsonl"
    done = ask(tmp_path, scan, "--task", "medical", "--json", "--export", export)
    assert done.returncode == 0, done.stderr
    record = json.loads(export.read_text())
    assert record["notice"] == json.loads(done.stdout)["notice"] == "Not for diagnosis."
    assert msgspec.convert(record["result"], Report)
    log = told_by(tmp_path)
    assert "worker-" in log
    for text in (done.stdout, done.stderr, export.read_text(), log):
        assert not SECRET.search(text)
        assert not PATHS.search(text)
    assert re.fullmatch("[0-9a-f]{12}", record["facts"]["study"])


def test_a_series_folder_is_not_named(tmp_path, scan):
    export = tmp_path / "out.jsonl"
    script = Report([], "clear", "Normal.", "None.", "routine")
    done = ask(tmp_path, scan.parent, "--task", "medical", "--export", export, script=script)
    assert done.returncode == 0, done.stderr
    assert "Not for diagnosis." in done.stdout
    for text in (done.stdout, done.stderr, export.read_text(), told_by(tmp_path)):
        assert not SECRET.search(text)
        assert not PATHS.search(text)


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9, 0.999])
def test_errors_name_the_file_and_nothing_in_it(tmp_path, scan, keep):
    """The user who named the file may read its name; it goes nowhere else."""
    data = scan.read_bytes()
    scan.write_bytes(data[: int(len(data) * keep)])
    done = ask(tmp_path, scan, "--task", "medical", "--json")
    assert (done.returncode, done.stdout) == (3, "")
    assert "Traceback" not in done.stderr
    for text in (done.stderr, told_by(tmp_path)):
        assert not SECRET.search(text)


def test_values_that_are_none_are_not_quoted(tmp_path, scan):
    """An identifier in a number's place is damage; pydicom's own words would quote it."""
    data = scan.read_bytes()
    slope = data.index(b"\x28\x00\x53\x10DS")
    length = int.from_bytes(data[slope + 6 : slope + 8], "little")
    spoilt = data[: slope + 6] + (12).to_bytes(2, "little") + b"PID77553311 "
    scan.write_bytes(spoilt + data[slope + 8 + length :])
    done = ask(tmp_path, scan, "--task", "medical")
    assert done.returncode == 3
    assert "RescaleSlope is no number" in done.stderr
    assert not SECRET.search(done.stderr)


def test_what_pydicom_says_of_damage_is_not_passed_on(scan, monkeypatch):
    """Its exceptions may hold values of the file."""

    def failing(*_, **__):
        raise ValueError("Invalid value 'Zebrafink^Quastel'")

    monkeypatch.setattr("pydicom.dcmread", failing)
    with pytest.raises(ImageError) as caught:
        images.open_image(scan)
    assert "form of DICOM" in caught.value.body
    assert not SECRET.search(str(caught.value))


def test_facts_and_question_hold_nothing(scan):
    question = ask_about(
        MedicalTask(), [(scan, None)], Language.EN, options=MedicalOptions("montage")
    )
    told = msgspec.json.encode(question.call).decode() + question.text
    assert not SECRET.search(told)
    assert not PATHS.search(told)
    assert not SECRET.search(repr(images.inspect(scan).notes))
    assert question.call.facts[0].values["modality"] == "CT"


@pytest.mark.parametrize(("part", "told"), [("CHEST", "CHEST"), ("ZEBRAFINK", None)])
def test_only_known_body_parts_are_told(tmp_path, part, told):
    """People type into that field."""
    slice_ = ct(np.zeros((2, 2), np.int16), BodyPartExamined=part, ViewPosition=part)
    values = images.open_image(saved(tmp_path / "a.dcm", slice_)).facts.values
    assert (values["body_part"], values["view"]) == (told, None)
