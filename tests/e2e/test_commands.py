"""``ask`` and ``--plain`` as a shell script meets them: pipes, exit codes, nothing but text."""

import contextlib
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.fake_hub import serving

from .terminal import environment, program


@pytest.fixture
def run(stage):
    """Run a command to its end with pipes in place of a terminal."""

    def run_it(*arguments, stdin="", **environ):
        return subprocess.run(
            program(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            env=environment(stage.folder, **environ),
            cwd=stage.folder,
            timeout=60,
        )

    return run_it


@pytest.mark.parametrize(
    ("arguments", "code", "title"),
    [
        (["nosuch", "--task", "defect"], 3, "nosuch"),
        ([".", "--task", "nope"], 2, "nope"),
        ([".", "--task", "defect", "--option", "colour=red"], 2, "colour"),
        ([".", "--task", "defect"], 2, "There is no terminal"),
    ],
)
def test_a_mistake_is_told_before_a_missing_terminal(run, arguments, code, title):
    done = run("triage", *arguments)
    first = done.stderr.partition("\n\n")[0]
    assert title in first
    assert ("no terminal" in done.stderr) == (title == "There is no terminal")
    assert done.returncode == code


# ask --------------------------------------------------------------------------------------------


def test_the_answer_and_nothing_else_is_on_standard_output(stage, run, picture):
    done = run("ask", picture, "-q", "What is it?", "--scripted", stage.script("A **red** square."))
    assert (done.returncode, done.stdout, done.stderr) == (0, "A **red** square.\n", "")


def test_json_is_one_object(stage, run, picture):
    script = stage.script("<think>corners</think><answer>A square: \x1b[31mé\n</answer>")
    done = run("ask", picture, picture, "-q", "What?", "--json", "--scripted", script)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    result = json.loads(done.stdout)
    assert set(result) == {
        *("answer", "thinking", "finish_reason", "usage", "timing", "model", "precision"),
        "device",
    }
    assert result["thinking"] == "corners"
    assert result["answer"].startswith("A square:")
    assert result["finish_reason"] == "stop"
    assert result["usage"]["image_tokens"] == 200


def test_marks_and_sequences_of_an_answer_are_not_printed(stage, run, picture):
    script = stage.script("<think>x</think><answer>A \x1b[31m\x1b]0;t\x07square.</answer>")
    done = run("ask", picture, "-q", "What?", "--scripted", script)
    assert (done.returncode, done.stdout) == (0, "A square.\n")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.png", None, "no such file"),
        ("text.png", b"no image", "text.png"),
        ("empty.png", b"", "empty.png"),
        ("folder", "folder", "folder"),
    ],
)
def test_a_wrong_file_exits_with_3_before_anything_is_loaded(stage, run, name, content, says):
    path = stage.folder / name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    done = run("ask", path, "-q", "What?", "--scripted", stage.script("Yes.", load_s=30))
    assert (done.returncode, done.stdout) == (3, "")
    assert says in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_a_failed_answer_exits_with_4_and_keeps_what_was_written(stage, run, picture):
    script = stage.script({"text": "It is", "tokens_per_s": 1e6, "fail": "Out of memory"})
    done = run("ask", picture, "-q", "What?", "--scripted", script)
    assert (done.returncode, done.stdout) == (4, "It is\n")
    assert done.stderr.startswith("Out of memory")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ask", "-q", "What?"], "PATH"),
        (["ask", "x.png"], "question"),
        (["ask", "x.png", "-q", "?", "--temperature", "-1"], "temperature"),
        (["ask", __file__, "-q", "?", "--crop", "1,2,x,4"], "crop"),
        (["ask", "x.png", "-q", "?", "--max-new-tokens", "0"], "max-new-tokens"),
        (["--no-such-option"], "no-such-option"),
        (["--model", "x", "ask", "x.png", "-q", "?"], "glm4v-tui ask ..."),
        (["ask", "x.png", "-q", "  "], "question"),
    ],
)
def test_a_wrong_command_line_exits_with_2(run, arguments, says):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("load_s", "written"), [(0.0, True), (30.0, False)])
def test_ctrl_c_ends_it_with_130_and_keeps_what_was_written(stage, picture, load_s, written):
    script = stage.script({"text": "word ", "repeat": 500, "tokens_per_s": 50.0}, load_s=load_s)
    asking = subprocess.Popen(
        program("ask", picture, "-q", "What?", "--scripted", script),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(stage.folder),
    )
    with asking:
        if written:
            assert asking.stdout.read(4) == b"word"
        else:
            wait_for_handler(asking.pid)
        asking.send_signal(signal.SIGINT)
        rest, said = asking.communicate(timeout=20)
    assert asking.returncode == 130
    assert b"Traceback" not in said
    assert rest.endswith(b"\n") is written


def wait_for_handler(pid: int) -> None:
    """Until the program answers to Ctrl+C by its event loop, which wakes up by a socket."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            files = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
            if sum("socket:" in file for file in files) >= 2:
                return
        time.sleep(0.01)
    raise AssertionError("it never began to listen for Ctrl+C")


def test_an_empty_name_is_no_folder(run):
    done = run("ask", "", "-q", "What?")
    assert (done.returncode, done.stdout) == (3, "")
    assert "empty name" in done.stderr


def test_a_name_cannot_break_the_lines_of_an_error(run):
    done = run("ask", "no\nsuch\x1b[31m.png", "-q", "What?")
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 3
    assert "\x1b" not in done.stderr


def test_a_full_disk_under_the_answer_is_no_defect(stage, picture):
    script = stage.script("Yes.")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            program("ask", picture, "-q", "What?", "--scripted", script),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(stage.folder),
            timeout=60,
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "defect" not in done.stderr


PART = '{"product": "plate", "defects": [], "grade": 5}'


def test_an_option_of_a_task_is_set_on_the_command_line(stage, run, picture):
    asked = ("ask", picture, "--task", "defect", "--scripted", stage.script(PART))
    assert "fail" in run(*asked).stdout
    done = run(*asked, "--option", "passing_grade=5")
    assert done.returncode == 0
    assert "pass" in done.stdout


@pytest.mark.parametrize(
    ("option", "says"),
    [("passing_grad=5", 'did you mean "passing_grade"?'), ("passing_grade=50", "at most 10"),
     ("passing_grade", "needs a value")],
)  # fmt: skip
def test_a_wrong_option_of_a_task_exits_with_2(stage, run, picture, option, says):
    script = stage.script(PART, load_s=30)
    done = run("ask", picture, "--task", "defect", "--option", option, "--scripted", script)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_reader_that_leaves_is_no_failure(stage, picture):
    script = stage.script({"text": "word ", "repeat": 200000, "tokens_per_s": 1e6})
    asking = subprocess.Popen(
        program("ask", picture, "-q", "What?", "--scripted", script),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(stage.folder),
    )
    with asking:
        asking.stdout.read(10)
        asking.stdout.close()
        said = asking.stderr.read()
        assert asking.wait(20) in (0, 1, 141, -signal.SIGPIPE)
    assert b"Traceback" not in said
    assert b"BrokenPipe" not in said


def test_a_limit_on_the_address_space_is_told_with_what_lifts_it(stage, picture):
    asking = program("ask", picture, "-q", "What?")
    done = subprocess.run(
        ["sh", "-c", 'ulimit -v 1500000 && exec "$@"', "sh", *asking],
        capture_output=True,
        text=True,
        env=environment(stage.folder),
        timeout=60,
    )
    assert done.returncode == 4
    assert "1.4 GiB (ulimit -v)" in done.stderr
    assert "ulimit -v unlimited" in done.stderr


# --plain ----------------------------------------------------------------------------------------


def test_plain_answers_what_comes_through_a_pipe(stage, run, picture):
    script = stage.script("A red\nsquare.", "Blue.")
    done = run("--plain", picture, "--scripted", script, stdin="What is it?\nAnd now?\n")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "Image 1: red square.png, 160 by 120" in lines
    assert lines.index("A red") < lines.index("square.") < lines.index("Blue.")
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout


def test_plain_obeys_commands(stage, run, picture):
    commands = [
        *("/help", f"/attach {picture}", "/images", "/detach", "/detach", "/images"),
        *("/attach nothing.png", "/undo", "/again", str(picture), "/quit", "never asked"),
    ]
    done = run("--plain", "--scripted", stage.script("Yes."), stdin="\n".join(commands))
    assert done.returncode == 0
    for words in (
        "/attach PATH",
        "Detached red square.png.",
        "No image.",
        "No image is attached.",
        "nothing.png: ",
        "Nothing to bring back.",
        "That cannot be done now.",
    ):
        assert words in done.stdout, words
    assert done.stdout.count("Image 1: red square.png") == 3
    assert "Yes." not in done.stdout
    assert "Traceback" not in done.stderr


def test_plain_obeys_the_lines_of_a_pipe_in_their_order(stage, run):
    slow = {"text": "one two three", "tokens_per_s": 20}
    script = stage.script(slow, "Again.", load_s=0.2)
    lines = ["count", "/again", "/new", "/undo", "/model none", "/new"]
    done = run("--plain", "--scripted", script, stdin="\n".join(lines))
    said = [line for line in done.stdout.splitlines() if "Loading" not in line]
    assert said[2:] == [
        *("Reading the question.", "one two three", "Reading the question.", "Again."),
        *("A new conversation. /undo brings the old one back.", "Brought back."),
        *("This names no model", "'none' is neither a folder here nor a hub id."),
        "A hub id has an owner and a name, such as zai-org/GLM-4.1V-9B-Thinking.",
        "A new conversation. /undo brings the old one back.",
    ]


def test_an_interrupt_ends_a_pipe_whose_model_is_still_loading(stage):
    chat = subprocess.Popen(
        program("--plain", "--scripted", stage.script("Yes.", load_s=900)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(stage.folder),
    )
    with chat:
        chat.stdin.write("what is it\n/new\nand now\n")
        chat.stdin.close()
        while "Loading" not in chat.stdout.readline():
            pass
        chat.send_signal(signal.SIGINT)
        assert chat.wait(20) == 130
        assert "new conversation" not in chat.stdout.read()


def test_plain_lists_models_and_switches(stage, run, tiny_glm4v):
    lines = ["/model", "one", "/model owner/tiny", "two", "/back", "/model 1 int8", "/model none"]
    script = stage.script("Yes.", "No.")
    with serving(tiny_glm4v) as hub:
        done = run(
            *("--plain", "--scripted", script),
            stdin="\n".join(lines),
            **environment_of_hub(hub, stage),
        )
    said = done.stdout.splitlines()
    assert "2. the embedded model, comes along, 0.03 GB" in said
    assert "4. zai-org/GLM-4.1V-9B-Thinking, not downloaded, 20.6 GB" in said
    assert "owner/tiny is downloaded first; what is here already is kept. Ctrl+C stops it." in said
    assert said.index("Yes.") < said.index("Ready: tiny, none, none.") < said.index("No.")
    assert "This names no model" in said
    assert "Another model was chosen" not in done.stdout


def environment_of_hub(hub, stage):
    return {"HF_ENDPOINT": hub.url, "HF_HOME": str(stage.folder / "hf"), "HF_HUB_OFFLINE": "0"}


def test_plain_keeps_its_model_when_the_hub_has_not_the_next_one(stage, run, tiny_glm4v):
    with serving(tiny_glm4v) as hub:
        done = run(
            *("--plain", "--scripted", stage.script("Yes.", "No.")),
            stdin="one\n/model owner/nothing\ntwo\n/back\n",
            **environment_of_hub(hub, stage),
        )
    assert done.returncode == 0
    said = done.stdout.splitlines()
    assert said.count("Ready: script, none, none.") == 1
    assert "There was no other model before this one." in said
    assert any("owner/nothing" in line for line in said)
    assert said.index("Yes.") < said.index("No.")


def test_plain_says_what_a_model_takes(stage, run):
    script = stage.script("Yes.")
    done = run("--plain", "--scripted", script, stdin="/model zai-org/glm-4v-9b ?\n")
    said = done.stdout.splitlines()
    int8 = next(line for line in said if line.startswith("int8: "))
    assert int8.startswith("int8: weights 13.6 GiB, needs ")
    assert any(line.startswith("Memory: ") for line in said)


def test_plain_begins_anew_and_brings_back(stage):
    chat = stage.start("--plain", "--scripted", stage.script("First.", "Second."), wait="/help")
    chat.wait_for("Ready")
    for line, answer in [
        ("one", "First."),
        ("/again", "Second."),
        ("/undo", "Brought back."),
        ("/new", "A new conversation"),
        ("/undo", "Brought back."),
    ]:
        chat.type(f"{line}\r")
        chat.wait_for(f"(?s){line}.*{answer}")
    chat.press("ctrl+d")
    assert chat.wait_exit() == 0


def test_plain_tells_a_failure_and_goes_on(stage, run):
    failing = {"text": "It is", "tokens_per_s": 1e6, "fail": "Out of memory"}
    done = run("--plain", "--scripted", stage.script(failing, "Fine."), stdin="one\ntwo\n")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines.index("It is") < lines.index("Out of memory") < lines.index("Fine.")


def test_plain_exits_with_4_when_the_last_question_has_no_answer(stage, run):
    """Nothing to load: the question waits for a model that never comes."""
    folder = stage.folder / "no model"
    folder.mkdir()
    done = run("--plain", "--model", folder, stdin="What is it?\n")
    assert done.returncode == 4
    assert "config.json" in done.stdout
    failing = {"text": "It is", "tokens_per_s": 1e6, "fail": "Out of memory"}
    assert run("--plain", "--scripted", stage.script(failing), stdin="one\n").returncode == 4


def test_plain_says_each_thing_once(stage, run, picture):
    done = run("--plain", picture, "--scripted", stage.script("Yes.", load_s=0.2), stdin="one\n")
    lines = done.stdout.splitlines()
    assert lines.count("Reading the question.") == 1
    assert len([line for line in lines if line.startswith("Loading")]) == len(
        {line for line in lines if line.startswith("Loading")}
    )
    assert "The program ends" not in done.stdout


def test_plain_never_prints_marks_or_sequences(stage, run):
    answer = "<think>x</think><answer>A \x1b[31m\x9b2Jsquare.</answer>"
    done = run("--plain", "--scripted", stage.script(answer), stdin="one\n")
    assert "A square." in done.stdout.splitlines()
    assert not set("<>\x1b\x9b") & set(done.stdout)
