"""``batch`` as a shell script meets it: a line for each image, whatever ends the run."""

import errno
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from glm4v_tui.commands.batch_output import Output
from glm4v_tui.errors import GlmError

from .terminal import environment, program

TASK = """
name = "sort"
question = "What is it?"
label_question = "Is it good?"
[fields.kind]
type = "choice"
choices = ["a", "b"]
[[labels]]
name = "good"
answer = "Yes"
when = { kind = "a" }
[[labels]]
name = "bad"
answer = "No"
when = "otherwise"
"""
RESULT = '{"kind": "b"}'


class Program:
    """The program with a scripted engine, a home of its own, and a folder of images."""

    def __init__(self, stage):
        self.stage = stage
        self.images = stage.folder / "images"
        self.images.mkdir()
        self.file = stage.folder / "out.jsonl"
        self.script = stage.script(RESULT)
        self.add_task(TASK)

    def add_task(self, text, name="sort"):
        tasks = self.stage.folder / "glm4v-tui" / "config" / "tasks"
        tasks.mkdir(parents=True, exist_ok=True)
        (tasks / f"{name}.toml").write_text(text)

    def draw(self, count, *, start=1):
        for number in range(start, start + count):
            path = self.images / f"{number}.png"
            Image.new("RGB", (8, 8), (number, number // 256, 0)).save(path)
            os.utime(path, (1e9, 1e9))

    def start(self, *arguments, output=None, task="sort", before=()):
        named = ["--task", task, "-o", output or self.file]
        named += ["--scripted", self.script] if self.script else []
        return subprocess.Popen(
            [*before, *program("batch", self.images, *named, *arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(self.stage.folder),
            cwd=self.stage.folder,
        )

    def run(self, *arguments, **named):
        process = self.start(*arguments, **named)
        out, told = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, told)

    def records(self):
        data = self.file.read_bytes()
        assert data == b"" or data.endswith(b"\n")
        return [json.loads(line) for line in data.splitlines()]

    def names(self):
        return [Path(one["path"]).name for one in self.records()]


@pytest.fixture
def batch(stage):
    return Program(stage)


def test_every_image_has_a_line_in_the_order_people_count(batch):
    batch.draw(11)
    done = batch.run()
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith("11 lines written.\n")
    assert batch.names() == [f"{number}.png" for number in range(1, 12)]
    first = batch.records()[0]
    assert len(first["sha256"]) == 64
    seconds = first.pop("seconds")
    assert 0 <= seconds < 5
    digests = {name: first.pop(name) for name in ("sha256", "asked", "model_id")}
    assert all(set(value) <= set("0123456789abcdef") for value in digests.values())
    assert first == {
        "number": 1,
        "path": str(batch.images / "1.png"),
        "task": "sort",
        "version": "1",
        "asks": "result",
        "label": "good",
        "probabilities": {"good": 0.5, "bad": 0.5},
        "result": {"kind": "b"},
        "warnings": [],
        "notice": "",
        "model": "script",
        "is_stored": False,
        "error": None,
    }


def test_images_that_are_asked_about_together_keep_their_order(batch):
    """Every third answer takes half a second; twelve of them one by one would take two."""
    batch.draw(12)
    quick, slow = {"text": RESULT}, {"text": RESULT, "first_token_s": 0.5}
    batch.script = batch.stage.script(slow, quick, quick, at_once=12)
    done = batch.run()
    assert done.returncode == 0, done.stderr
    assert [one["number"] for one in batch.records()] == list(range(1, 13))
    assert batch.names() == [f"{number}.png" for number in range(1, 13)]


def test_a_failure_among_several_stops_where_that_is_wanted(batch):
    batch.draw(20)
    broken = {"text": "", "fail": "Broken"}
    batch.script = batch.stage.script(RESULT, broken, at_once=8)
    done = batch.run("--on-error", "stop")
    assert done.returncode == 4
    assert 1 <= len(batch.records()) <= 20
    assert batch.records()[-1]["error"]["title"] == "Broken"
    assert all(one["error"] is None for one in batch.records()[:-1])


def test_the_store_answers_the_second_time(batch):
    batch.draw(3)
    batch.run()
    (batch.images / "2.png").rename(batch.images / "22.png")
    done = batch.run("--force")
    assert done.returncode == 0
    assert "loading the model" not in done.stderr
    assert [one["is_stored"] for one in batch.records()] == [True] * 3
    assert batch.names() == ["1.png", "3.png", "22.png"]


def test_a_file_that_is_there_is_not_touched(batch):
    batch.draw(1)
    batch.file.write_text("precious\n")
    for arguments in ((), ("--resume",)):
        done = batch.run(*arguments)
        assert done.returncode == 2
        assert batch.file.read_text() == "precious\n"
    assert "is none that batch has written" in done.stderr
    assert batch.run("--force").returncode == 0
    assert batch.names() == ["1.png"]


def test_going_on_writes_what_is_missing(batch):
    batch.draw(2)
    batch.run()
    batch.draw(3, start=3)
    Image.new("RGB", (9, 9)).save(batch.images / "1.png")
    done = batch.run("--resume")
    assert done.stderr.endswith("4 lines written; 1 had a line already.\n")
    assert sorted(batch.names()) == ["1.png", "1.png", "2.png", "3.png", "4.png", "5.png"]
    assert len({one["sha256"] for one in batch.records()}) == 6  # the other 1.png is another image


def test_an_image_that_fails_is_a_record_and_is_tried_again(batch):
    batch.draw(3)
    (batch.images / "2.png").write_text("no image")
    done = batch.run()
    assert done.returncode == 3
    assert "3 lines written, 1 of them with the reason of a failure." in done.stderr
    error = batch.records()[1]
    assert error["error"]["title"] == "Not an image"
    assert list(error) == list(batch.records()[0])  # every line has the same fields
    unknown = ("label", "probabilities", "result", "warnings", "seconds", "is_stored", "sha256")
    assert [error[name] for name in unknown] == [None] * len(unknown)
    batch.draw(1, start=2)
    assert batch.run("--resume").returncode == 0
    assert batch.names() == ["1.png", "3.png", "2.png"]
    assert all(one["error"] is None for one in batch.records())


def test_images_that_fail_are_named_as_they_come_and_counted_at_the_end(batch):
    batch.draw(3)
    (batch.images / "2.png").write_text("no image")
    (batch.images / "4\x1b[31m\n.png").write_text("no image either")
    done = batch.run()
    lines = done.stderr.splitlines()
    named = [line for line in lines if line.startswith("failed: ")]
    assert named == [f"failed: {batch.images / name}: Not an image" for name in ("2.png", "4 .png")]
    assert lines[-1] == "4 lines written, 2 of them with the reason of a failure."
    assert "\x1b" not in done.stderr


def test_without_progress_the_errors_are_told_all_the_same(batch):
    batch.draw(3)
    (batch.images / "2.png").write_text("no image")
    done = batch.run("--quiet")
    assert done.returncode == 3
    assert done.stderr == f"failed: {batch.images / '2.png'}: Not an image\n"


def test_on_a_read_only_disk_the_output_is_written_and_that_is_told(batch):
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("needs a mount of its own")
    batch.draw(1)
    assert batch.run().returncode == 0
    batch.draw(1, start=2)
    home = environment(batch.stage.folder)["GLM4V_TUI_HOME"]
    mount = f"mount --bind {home} {home} && mount -o remount,ro,bind {home} || exit 77; exec"
    done = batch.run("--force", before=["unshare", "-rm", "sh", "-c", f'{mount} "$@"', "-"])
    assert done.returncode == 0, done.stderr
    assert "The database cannot be written" in done.stderr
    assert [one["is_stored"] for one in batch.records()] == [True, False]


def test_it_stops_at_the_first_failure_where_that_is_wanted(batch):
    batch.draw(4)
    (batch.images / "2.png").write_text("no image")
    done = batch.run("--on-error", "stop")
    assert done.returncode == 3
    assert "Not an image\n" in done.stderr
    assert [one["number"] for one in batch.records()] == [1, 2]


def test_a_result_that_is_cut_is_a_failure_with_its_label(batch):
    batch.draw(1)
    batch.script = batch.stage.script({"text": '{"ki', "tokens_per_s": 1e6, "cut": True})
    assert batch.run().returncode == 5
    [record] = batch.records()
    assert record["error"]["title"] == "The result is incomplete"
    assert (record["label"], record["result"]) == ("good", None)


def test_a_model_that_fails_again_and_again_ends_the_run(batch):
    batch.draw(20)
    batch.script = batch.stage.script({"text": "", "tokens_per_s": 1e6, "fail": "It is broken"})
    done = batch.run()
    assert done.returncode == 4
    assert "It is broken" in done.stderr
    assert len(batch.records()) == 5


def test_a_private_task_writes_no_path(batch):
    batch.add_task("is_private = true\n" + TASK.replace('"sort"', '"secret"', 1), "secret")
    batch.draw(2)
    (batch.images / "mallory.png").write_text("no image")
    done = batch.run(task="secret")
    assert done.returncode == 3
    told = batch.file.read_text() + done.stderr + done.stdout
    assert "failed: image number 3: Not an image" in done.stderr
    assert "png" not in told
    assert str(batch.stage.folder) not in told
    assert batch.records()[2]["error"]["body"] == "Image number 3 of this run."
    assert batch.run("--resume", task="secret").returncode == 3
    assert [one["number"] for one in batch.records()] == [1, 2, 3]
    data = b"".join(file.read_bytes() for file in batch.stage.folder.rglob("*.sqlite3*"))
    assert b".png" not in data
    assert data


def test_copies_have_a_line_each_also_where_no_path_tells_them_apart(batch):
    batch.add_task("is_private = true\n" + TASK.replace('"sort"', '"secret"', 1), "secret")
    batch.draw(1)
    (batch.images / "copy.png").write_bytes((batch.images / "1.png").read_bytes())
    batch.run(task="secret")
    assert len(batch.records()) == 2
    (batch.images / "again.png").write_bytes((batch.images / "1.png").read_bytes())
    batch.run("--resume", task="secret")
    batch.run("--resume", task="secret")
    assert len(batch.records()) == 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("What is it?", "What?"), "with another question"),
        (lambda text: f'version = "2"\n{text}', "with another version of the task"),
    ],
)
def test_a_file_of_another_question_is_not_gone_on_with(batch, change, says):
    batch.draw(1)
    batch.run()
    batch.add_task(change(TASK))
    batch.draw(1, start=2)
    done = batch.run("--resume")
    assert done.returncode == 2
    assert says in done.stderr
    assert batch.names() == ["1.png"]


def test_labels_alone_are_another_file(batch):
    batch.draw(2)
    assert batch.run("--labels-only").returncode == 0
    first = batch.records()[0]
    assert (first["label"], first["result"], first["asks"]) == ("good", None, "labels")
    done = batch.run("--resume")
    assert done.returncode == 2
    assert "another extent of what is asked" in done.stderr
    assert batch.run("--resume", "--labels-only").returncode == 0


def test_a_terminal_shows_a_bar_with_the_rate_and_the_time_left(slow):
    script = ["--scripted", slow.script, "--task", "sort", "-o", slow.file]
    terminal = slow.stage.start("batch", slow.images, *script, wait=r"\d images/s, \d+ s left")
    terminal.wait_for(r"^\[=+> *\] +\d+% \d+/40, ")
    terminal.wait_for(r"^40 lines written\.$")
    assert "images/s" not in terminal.screen_text()


def test_standard_output_gets_the_lines_and_nothing_else(batch):
    batch.draw(2)
    done = batch.run("--quiet", output="-")
    assert [json.loads(line)["number"] for line in done.stdout.splitlines()] == [1, 2]
    assert done.stderr == ""


def test_a_name_that_is_no_utf8_can_be_read_back(batch):
    batch.draw(1)
    odd = os.fsencode(batch.images) + b"/b\xff.png"
    (batch.images / "1.png").rename(os.fsdecode(odd))
    batch.run()
    assert os.fsencode(batch.records()[0]["path"]) == odd
    batch.run("--resume")
    assert len(batch.records()) == 1


# However it ends --------------------------------------------------------------------------------


@pytest.fixture
def slow(batch):
    """Takes some 50 ms for each of 40 images."""
    batch.draw(40)
    batch.script = batch.stage.script({"text": RESULT, "tokens_per_s": 100.0})
    return batch


def wait_for_lines(batch, count):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if batch.file.exists() and batch.file.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"not {count} lines in 30 s")


@pytest.mark.parametrize("at_once", [1, 6])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_cleanly(slow, number, at_once):
    answer = {"text": RESULT, "tokens_per_s": 100.0 / at_once}
    slow.script = slow.stage.script(answer, at_once=at_once)
    process = slow.start()
    wait_for_lines(slow, 3)
    process.send_signal(number)
    _, told = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    count = len(slow.records())
    assert 3 <= count < 40
    assert told.endswith(f"{count} lines written; {40 - count} images left: go on with --resume.\n")
    assert slow.run("--resume").returncode == 0
    assert slow.names() == [f"{number}.png" for number in range(1, 41)]


def test_a_model_process_that_is_killed_takes_no_image_along(batch):
    """The embedded model, which has several images in work at a time."""
    batch.draw(24)
    batch.script = None
    process = batch.start()
    wait_for_lines(batch, 4)
    (worker,) = psutil.Process(process.pid).children()
    worker.kill()
    _, told = process.communicate(timeout=120)
    assert "The model's process ended: " in told
    assert "(SIGKILL). What it had in work is asked about once more" in told
    assert [one["number"] for one in batch.records()] == list(range(1, 25))
    assert all(one["error"] is None for one in batch.records())
    assert process.returncode == 0


def kill_worker(process, known=()):
    """End the model's process as soon as there is one: it takes seconds to load. Its id."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for worker in psutil.Process(process.pid).children():
            if worker.pid not in known and "glm4v_tui.engine.worker" in worker.cmdline():
                worker.kill()
                return worker.pid
        time.sleep(0.01)
    raise AssertionError("no model's process in 60 s")


def test_a_model_process_that_is_killed_while_it_loads_is_started_once_more(batch):
    batch.draw(2)
    batch.script = None
    process = batch.start()
    kill_worker(process)
    _, told = process.communicate(timeout=120)
    assert "ended while it was loaded: it was ended by signal 9 (SIGKILL). It is started" in told
    assert told.count("process ended") == 1
    assert process.returncode == 0
    assert [one["error"] for one in batch.records()] == [None, None]


def test_killed_once_more_it_ends_the_run_in_words_that_fit(batch):
    batch.draw(2)
    batch.script = None
    process = batch.start()
    first = kill_worker(process)
    kill_worker(process, {first})
    _, told = process.communicate(timeout=120)
    assert process.returncode == 4
    error = told[told.rindex("The model's process ended") :]
    assert "while it was loaded, 2 times in a row. It was ended by signal 9 (SIGKILL)." in error
    assert "When memory runs out" in error
    assert "smaller --precision" in error
    assert "go on with --resume" in error
    assert "conversation" not in told
    assert batch.records() == []


def test_loaded_again_within_the_run_it_is_started_once_more_and_no_image_is_at_fault(batch):
    batch.draw(24)
    batch.script = None
    process = batch.start()
    wait_for_lines(batch, 4)
    first = kill_worker(process)
    kill_worker(process, {first})
    _, told = process.communicate(timeout=120)
    assert "while it was loaded" in told
    assert process.returncode == 0
    assert [one["number"] for one in batch.records()] == list(range(1, 25))
    assert all(one["error"] is None for one in batch.records())


def test_killed_again_and_again_it_writes_every_image_once(slow):
    chance = random.Random("batch")
    kills = 0
    while True:
        process = slow.start("--resume")
        try:
            process.communicate(timeout=0.4 + chance.random() / 2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        assert kills < 100
    assert kills >= 2
    assert slow.names() == [f"{number}.png" for number in range(1, 41)]
    assert all(one["error"] is None for one in slow.records())


@pytest.mark.parametrize("torn", [b"{", b'{"number": 3, "pa', b"\0\0\0"])
def test_a_torn_line_is_mended(batch, torn):
    batch.draw(3)
    batch.run()
    lines = batch.file.read_bytes().splitlines(keepends=True)
    batch.file.write_bytes(b"".join(lines[:2]) + torn)
    assert batch.run("--resume").returncode == 0
    assert batch.names() == ["1.png", "2.png", "3.png"]


def test_two_runs_do_not_write_one_file(slow):
    process = slow.start()
    wait_for_lines(slow, 1)
    other = slow.run("--resume")
    assert other.returncode == 2
    assert "Another run writes this file" in other.stderr
    assert process.wait(30) == 0
    assert len(slow.records()) == 40


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    output = Output(str(tmp_path / "out.jsonl"), {"task": "t"})
    output.write({"number": 1, "sha256": "a", "task": "t"})
    write = os.write

    def full(descriptor, data):
        if len(data) < 30:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[:20])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(GlmError, match="cannot be written") as caught:
        output.write({"number": 2, "sha256": "b", "task": "t"})
    monkeypatch.undo()
    assert "No space left" in caught.value.body
    output.close()
    again = Output(str(tmp_path / "out.jsonl"), {"task": "t"}, resume=True)
    assert again.written == {(None, "a"): 1}
    again.close()
