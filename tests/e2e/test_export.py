"""``glm4v-tui export`` as a shell script meets it."""

import csv
import json
import os
import subprocess
import sys

import pytest

from .terminal import environment, program

REVIEW = """
import sys
from pathlib import Path
from glm4v_tui.commands.start import plugins_of, settings_with
from glm4v_tui.store.database import Database
from glm4v_tui.triage.queue import Queue
from glm4v_tui.triage.review import Review

task = plugins_of(settings_with()).task(sys.argv[2])
review = Review(Database(), task, Queue.of([Path(sys.argv[1])]), reviewer=sys.argv[3], session="1")
for label in sorted(task.labels[:2], key=lambda one: one.name, reverse=sys.argv[3] == "ann"):
    review.give(label.name)
    review.advance()
"""


@pytest.fixture
def parts(stage, picture):
    folder = stage.folder / "parts"
    folder.mkdir()
    for number in range(3):
        picture(folder / f"part{number}.png", number)
    return folder


@pytest.fixture
def picture():
    from PIL import Image

    return lambda path, number: Image.new("RGB", (60 + number, 40), "gray").save(path)


def run(stage, argv):
    return subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(stage.folder),
        cwd=stage.folder,
        timeout=120,
    )


@pytest.fixture
def export(stage, parts):
    def export(*arguments, task="defect"):
        return run(stage, program("export", "parts", "--task", task, *arguments))

    return export


@pytest.fixture
def review(stage, parts):
    def review(task="defect", reviewer="ann"):
        done = run(stage, [sys.executable, "-c", REVIEW, str(parts), task, reviewer])
        assert done.returncode == 0, done.stderr

    return review


def test_verdicts_on_standard_output(export, review, parts):
    review()
    done = export("--format", "jsonl")
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["label"] for one in told] == ["pass", "fail"]
    assert told[0]["path"] == str(parts / "part0.png")
    assert "2 images of 3 exported." in done.stderr


@pytest.mark.parametrize("format_", ["jsonl", "csv", "coco"])
def test_who_stops_reading_ends_it_without_a_word(stage, review, format_):
    review()
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        program("export", "parts", "--task", "defect", "--format", format_),
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(stage.folder),
        cwd=stage.folder,
        timeout=120,
    )
    os.close(writing)
    assert done.returncode == 141
    assert "defect of its own" not in done.stderr


def test_a_file_that_is_there_is_overwritten_only_where_that_is_said(export, review, stage):
    review()
    (stage.folder / "out.csv").write_text("old")
    for name in ("csv", "jsonl", "coco"):
        done = export("--format", name, "-o", "out.csv")
        assert (done.returncode, done.stdout) == (2, "")
        assert "The output file is there already" in done.stderr
        assert "--force" in done.stderr
    assert (stage.folder / "out.csv").read_text() == "old"
    done = export("--format", "csv", "-o", "out.csv", "--force")
    assert (done.returncode, done.stdout) == (0, "")
    with (stage.folder / "out.csv").open(newline="") as file:
        assert [one["label"] for one in csv.DictReader(file)] == ["pass", "fail"]


def test_a_pipe_is_written_to_and_stays_one(export, review, stage):
    review()
    pipe = stage.folder / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        assert export("--format", "jsonl", "-o", "pipe").returncode == 0
        assert len(reader.communicate(timeout=30)[0].splitlines()) == 2
    assert pipe.is_fifo()


def test_coco_is_written_by_the_plugin(export, review):
    review()
    done = export("--format", "coco", "--all")
    told = json.loads(done.stdout)
    assert [(one["width"], one.get("label")) for one in told["images"]] == [
        (60, "pass"), (61, "fail"), (62, None),
    ]  # fmt: skip
    assert "3 images without a result" in done.stderr


def test_folders_and_sidecars(export, review, stage, parts):
    review()
    assert export("--format", "folders", "-o", "sorted").returncode == 0
    assert (stage.folder / "sorted" / "fail" / "part1.png").is_symlink()
    assert export("--format", "xmp", "--rate", "pass=pick").returncode == 0
    assert 'xmpDM:pick="1"' in (parts / "part0.png.xmp").read_text()
    assert export("--format", "folders", "-o", "sorted").returncode == 2


def test_a_private_task_is_exported_by_content_alone(export, review):
    review(task="medical")
    for name in ("xmp", "folders"):
        done = export("--format", name, *(["-o", "x"] * (name == "folders")), task="medical")
        assert done.returncode == 2
        assert "is private" in done.stderr
    done = export("--format", "csv", task="medical")
    assert done.returncode == 0
    assert "part0" not in done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 3


KEEP = """
from glm4v_tui.store.chat_values import KeptTurn
from glm4v_tui.store.chats import Chats
from glm4v_tui.store.database import Database

database = Database()
turn = KeptTurn(id="t", question="What is this?", state="generating", raw="A part.")
Chats(database).save("c", "What is this?", "t", [turn], owner="0:0")
database.close()
"""


def test_on_a_read_only_disk_what_was_kept_can_be_had(stage, review, parts):
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("needs a mount of its own")
    review()
    assert run(stage, [sys.executable, "-c", KEEP]).returncode == 0
    (parts / "part9.png").write_bytes((parts / "part0.png").read_bytes())  # not remembered
    home = environment(stage.folder)["GLM4V_TUI_HOME"]
    mount = f"mount --bind {home} {home} && mount -o remount,ro,bind {home} || exit 77; exec"

    def read_only(*arguments):
        return run(
            stage, ["unshare", "-rm", "sh", "-c", f'{mount} "$@"', "-", *program(*arguments)]
        )

    done = read_only("export", "parts", "--task", "defect", "--format", "csv")
    assert done.returncode == 0, done.stderr
    told = [one["label"] for one in csv.DictReader(done.stdout.splitlines())]
    assert told == ["pass", "fail", "pass"]
    done = read_only("chats")
    assert (done.returncode, done.stdout[-14:]) == (0, "What is this?\n"), done.stderr
    done = read_only("chats", "export", "1")
    assert "A part." in done.stdout
    done = read_only("chats", "delete", "1")
    assert done.returncode == 6
    assert "The database cannot be opened or written" in done.stderr


def test_two_reviewers_and_one_of_them(export, review, stage):
    review()
    review(reviewer="bob")  # who gives the labels the other way round
    done = export("--format", "csv")
    told = [(one["reviewer"], one["label"]) for one in csv.DictReader(done.stdout.splitlines())]
    assert told == [("ann", "pass"), ("bob", "fail"), ("ann", "fail"), ("bob", "pass")]
    assert "2 images of 3, with 4 rows, exported." in done.stderr
    for name in ("coco", "folders", "xmp"):
        out = ["-o", "sorted"] * (name == "folders")
        done = export("--format", name, *out)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Reviewers disagree" in done.stderr
        assert export("--format", name, *out, "--reviewer", "bob").returncode == 0
    assert (stage.folder / "sorted" / "fail" / "part0.png").exists()


def test_the_history_is_every_event(export, review):
    review()
    review(reviewer="bob")
    done = export("--format", "jsonl", "--history")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["reviewer"], one["kind"], one["label"]) for one in told] == [
        ("ann", "label", "pass"),
        ("ann", "label", "fail"),
        ("bob", "label", "fail"),
        ("bob", "label", "pass"),
    ]
    assert "4 events exported." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (["--format", "jsonx"], "There is no format jsonx"),
        (["--format", "folders"], "There is no folder to write to"),
        (["--format", "xmp", "-o", "x"], "XMP sidecars lie beside their images"),
        (["--format", "coco", "--history"], "coco has no room for a history"),
        (["--format", "csv", "--history", "--all"], "--history and --all contradict"),
        (["--format", "folders", "-o", "x", "--force"], "--force overwrites one file"),
        (["--format", "csv", "--copy"], "Only folders hold copies"),
        (["--format", "csv", "--rate", "pass=1"], "Only XMP sidecars have ratings"),
        (["--format", "xmp", "--rate", "pass=9"], "--rate pass=9 cannot be understood"),
        (["--format", "csv", "-o", "no/such/folder.csv"], "The export cannot be written"),
        (["--format", "csv", "--option", "colour=red"], "colour"),
    ],
)
def test_what_contradicts_itself_is_refused(export, arguments, title):
    done = export(*arguments)
    assert done.returncode == 2
    assert title in done.stderr
    assert done.stdout == ""


def test_nothing_to_export_is_no_error(export):
    done = export("--format", "jsonl")
    assert (done.returncode, done.stdout) == (0, "")
    assert "0 images of 3 exported." in done.stderr
