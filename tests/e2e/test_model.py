"""The program with a real checkpoint in a real worker, from the first key to the last process."""

import json
import subprocess

import pytest

from .stage import ask
from .terminal import environment, program, wait_gone

LOADED = r"ready"


@pytest.fixture
def chat(stage, tiny_glm4v, picture):
    """The chat with a tiny checkpoint that is loaded and an image that is attached."""
    stage.settings(generation={"max_new_tokens": 24, "seed": 1})
    terminal = stage.start("--model", tiny_glm4v, "--device", "cpu", picture)
    terminal.wait_for(LOADED, timeout=60)
    return terminal


def test_an_image_is_asked_about_twice_and_everything_ends(chat):
    chat.wait_for("tiny-glm4v")
    chat.wait_for("red square.png")
    ask(chat, "What is it?")
    chat.wait_for("24 out", timeout=60)
    ask(chat, "And what color?")
    chat.wait_for("(?s)24 out.*24 out", timeout=60)
    worker, children = chat.worker(), chat.children()
    assert worker.ppid() == chat.process.pid
    chat.press("ctrl+q")
    assert chat.wait_exit() == 0
    wait_gone(children)


def test_the_workers_memory_is_shown(chat):
    chat.wait_for(r"model process +\d+\.\d")


def test_the_worker_writes_nothing_on_the_screen(chat, stage):
    """Its own output lies in a log of this process."""
    logs = list((stage.folder / "glm4v-tui" / "state" / "log").glob("worker-*.log"))
    assert [log.name for log in logs] == [f"worker-{chat.process.pid}.log"]
    assert str(chat.worker().as_dict(["terminal"])["terminal"]) == "None"


def test_ask_prints_one_object(tiny_glm4v, picture, tmp_path):
    done = subprocess.run(
        program(
            *("ask", picture, "-q", "What is it?", "--model", tiny_glm4v, "--device", "cpu"),
            *("--json", "--greedy", "--max-new-tokens", "8"),
        ),
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["finish_reason"] == "length"
    assert result["usage"]["completion_tokens"] == 8
    assert 0 < result["usage"]["image_tokens"] < result["usage"]["prompt_tokens"]
    assert result["timing"]["first_token_s"] > 0
    assert result["device"].startswith("cpu")


def test_ctrl_c_ends_ask_and_its_worker(tiny_glm4v, picture, stage):
    terminal = stage.start(
        *("ask", picture, "-q", "Tell me", "--model", tiny_glm4v, "--device", "cpu"), wait=""
    )
    worker = terminal.worker()
    terminal.press("ctrl+c")
    assert terminal.wait_exit() == 130
    wait_gone([worker])
    assert b"Traceback" not in terminal.output
