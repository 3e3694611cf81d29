"""``ask --task``, ``--export`` and ``tasks`` as a shell script meets them."""

import json
import subprocess

import pytest

from .terminal import environment, program

TASK = """
name = "bottles"
title = "Bottles"
summary = "Fill level and cap."
question = "How full is it?"
question_zh = "有多满？"
notice = "Only a test."
max_new_tokens = 60

[fields.level]
type = "whole number"
min = 0
max = 100

[fields.cap]
type = "choice"
choices = ["on", "off"]

[fields.place]
type = "box"
optional = true

[[labels]]
name = "pass"
key = "p"
"""
RESULT = '{"level": 80, "cap": "on", "place": [0, 0, 499, 999]}'


@pytest.fixture
def run(stage):
    tasks = stage.folder / "glm4v-tui" / "config" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "bottles.toml").write_text(TASK)

    def run_it(*arguments, **environ):
        return subprocess.run(
            program(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment(stage.folder, **environ),
            cwd=stage.folder,
            timeout=120,
        )

    return run_it


@pytest.fixture
def ask(stage, run, picture):
    """Ask the task about an image; a script answers."""

    def ask_it(answer, *arguments, images=1, **environ):
        script = stage.script(answer)
        paths = [picture] * images
        return run("ask", *paths, "--task", "bottles", "--scripted", script, *arguments, **environ)

    return ask_it


def test_a_result_is_lines_on_standard_output(ask):
    done = ask(RESULT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Level  80",
        "Cap    on",
        "Place  0, 0, 499, 999",
        "(1) place: 0,0 to 80,120",
        "Only a test.",
    ]


def test_json_has_the_answers_keys_and_the_tasks(ask):
    done = ask(f"<think>hm</think>{RESULT}", "--json", images=2)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    told = json.loads(done.stdout)
    assert list(told) == [
        *("answer", "thinking", "finish_reason", "usage", "timing", "model", "precision"),
        *("device", "task", "result", "warnings", "notice"),
    ]
    assert told["result"] == json.loads(RESULT)
    assert (told["task"], told["warnings"], told["notice"]) == ("bottles", [], "Only a test.")
    assert (told["thinking"], told["answer"]) == ("hm", RESULT)
    assert told["usage"]["image_tokens"] == 200


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ('{"level": 80, "ca', "not in the task's form"),
        ("A bottle.", "not in the task's form"),
        ('{"level": 800, "cap": "on"}', "not in the task's form"),
    ],
)
def test_what_is_no_result_ends_with_5_and_stays_on_standard_output(ask, answer, title):
    done = ask(answer)
    assert done.returncode == 5
    assert done.stdout == f"{answer}\nOnly a test.\n"  # the notice stands under all of them
    assert title in done.stderr
    told = ask(answer, "--json")
    assert told.returncode == 5
    assert json.loads(told.stdout)["result"] is None


def test_nothing_of_a_result_moves_the_cursor(ask):
    done = ask('{"level": 80, "cap": "on\\u001b[2J"}')
    assert done.returncode == 5
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--task", "botles", "-q", "x"), 2, "bottles"),
        (("--task", "bottles", "--export", "out.xyz"), 2, "jsonl:FILE"),
        (("--task", "bottles", "--export", "nowhere/out.jsonl"), 2, "no such folder"),
        (("--task", "bottles", "--export", "jsonl:."), 2, "it is a folder"),
        (("--export", "out.jsonl", "-q", "x"), 2, "Only the result of a task"),
        ((), 2, "There is no question"),
    ],
)
def test_wrong_usage_is_told_before_any_model_is_loaded(run, picture, arguments, code, said):
    done = run("ask", picture, *arguments, "--model", "/nowhere/at/all")
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "nowhere/at" not in done.stderr


def test_a_bad_image_is_told_before_any_model_is_loaded(run, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    done = run("ask", tmp_path / "text.png", "--task", "bottles", "--model", "/nowhere/at/all")
    assert (done.returncode, done.stdout) == (3, "")
    assert "Not an image" in done.stderr


def test_an_export_holds_the_result(ask, tmp_path, picture):
    out = tmp_path / "out file.jsonl"
    out.write_text("old")
    done = ask(RESULT, "--export", out)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = out.read_text().splitlines()
    record = json.loads(line)
    assert record["result"] == json.loads(RESULT)
    assert record["path"] == str(picture)
    assert record["regions"] == [[[0, 0, 80, 120], "place"]]
    assert (record["width"], record["height"], record["notice"]) == (160, 120, "Only a test.")


def test_an_incomplete_result_is_not_exported(ask, tmp_path):
    out = tmp_path / "out.jsonl"
    out.write_text("old")
    assert ask(RESULT[:-1], "--export", f"jsonl:{out}").returncode == 5
    assert out.read_text() == "old"


def test_the_tasks_are_listed(run):
    done = run("tasks")
    assert done.returncode == 0
    assert "bottles  Fill level and cap." in done.stdout
    told = json.loads(run("tasks", "--json").stdout)["tasks"]
    assert [task["name"] for task in told] == sorted(task["name"] for task in told)
    bottles = next(task for task in told if task["name"] == "bottles")
    assert set(bottles) == {"name", "title", "summary", "version", "source", "labels", "schema"}
    assert (bottles["source"], bottles["labels"]) == ("bottles.toml", ["pass"])


def test_a_broken_task_file_is_told_once_and_the_rest_goes_on(stage, run, ask):
    tasks = stage.folder / "glm4v-tui" / "config" / "tasks"
    (tasks / "aaa.toml").write_text(TASK.replace('"choice"', '"choise"').replace("bottles", "a"))
    done = ask(RESULT)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert "aaa.toml:16: fields.cap.type: expected one of" in done.stderr


# With the embedded model ------------------------------------------------------------------------


def test_the_embedded_model_is_bound_and_what_the_command_line_says_goes_first(run, picture):
    arguments = ("ask", picture, "--task", "bottles", "--json", "--temperature", "1.5")
    first, again, other = (
        json.loads(run(*arguments, "--seed", seed).stdout) for seed in ("1", "1", "2")
    )
    for told in (first, again, other):
        assert told["finish_reason"] == "stop"
        assert set(told["result"]) == {"level", "cap", "place"}
        assert told["result"]["cap"] in {"on", "off"}
    assert first["result"] == again["result"]
    assert first["result"] != other["result"]


def test_a_result_that_the_limit_cut_is_incomplete(run, picture):
    done = run("ask", picture, "--task", "bottles", "--max-new-tokens", "4", "--json", "--greedy")
    assert done.returncode == 5
    told = json.loads(done.stdout)
    assert (told["finish_reason"], told["result"]) == ("length", None)
    assert told["usage"]["completion_tokens"] == 4
    assert "The result is incomplete" in done.stderr


QUESTION = "Is the cap on, or is it crooked, or is there none at all?"
"""Of another number of tokens than the task's own."""


def test_a_question_of_ones_own_is_asked_in_place_of_the_tasks(run, picture):
    done = run("ask", picture, "--task", "bottles", "-q", QUESTION, "--json", "--greedy")
    usual = run("ask", picture, "--task", "bottles", "--json", "--greedy")
    assert json.loads(done.stdout)["usage"] != json.loads(usual.stdout)["usage"]
    assert (done.returncode, usual.returncode) == (0, 0)
