"""A first start: no model is named, no network, and a true answer all the same."""

import json
import subprocess
import sys

import pytest

from glm4v_tui.demo import SAMPLES

from .stage import ask
from .terminal import environment

BAD = "fe7b86"
"""The color of what is bad in the theme of the start."""


def test_a_first_start_answers_about_a_sample_image(stage):
    chat = stage.start()
    chat.wait_for("small embedded one answers")
    chat.press("ctrl+o")
    chat.wait_for("part-tile-1.png")
    chat.press("escape")
    chat.paste(str(SAMPLES / "part-tile-1.png"))
    chat.wait_for("the model sees", timeout=60)
    ask(chat, "What defect is there, and where?")
    chat.wait_for("hole .*at the middle left", timeout=60)


def test_a_task_is_asked_by_its_name_and_talked_about(stage):
    chat = stage.start(SAMPLES / "part-tile-1.png")
    chat.wait_for("the model sees", timeout=60)
    ask(chat, "/defect")
    chat.wait_for(r"Part inspection", timeout=60)
    chat.wait_for(r"1 +hole +middle left", timeout=60)
    cells = [chat.cell(column, row) for row in range(12, 29) for column in range(4, 48)]
    assert [cell.data for cell in cells if cell.bg == BAD and cell.data.strip("▀▄█ ")] == ["1"]
    assert sum(BAD in (cell.fg, cell.bg) for cell in cells) > 20, "the box around it"
    ask(chat, "Is there a defect?")
    chat.wait_for(r"Yes", timeout=60)
    chat.press("f7")
    chat.wait_for("/defect")


def test_plain_asks_a_task(stage):
    done = subprocess.run(
        [sys.executable, "-m", "glm4v_tui", "--plain", str(SAMPLES / "part-tile-1.png")],
        input="/tasks\n/task defct\n/defect\n",
        capture_output=True,
        text=True,
        check=True,
        env=environment(stage.folder),
    )
    assert "/defect: " in done.stdout
    assert 'There is no task defct; did you mean "defect"?' in done.stdout
    assert "middle left" in done.stdout.partition("Reading the question.")[2]


def test_a_task_that_it_was_not_trained_for_is_said_to_be_a_guess(stage):
    made = [sys.executable, "-m", "glm4v_tui", "plugin", "new", "tile", "--toml"]
    subprocess.run(made, capture_output=True, check=True, env=environment(stage.folder))
    asked = [sys.executable, "-m", "glm4v_tui", "ask", str(SAMPLES / "part-tile-1.png")]
    done = subprocess.run(
        [*asked, "--task", "tile", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(stage.folder),
    )
    assert "has not learned this task's form, and guesses" in done.stderr
    assert json.loads(done.stdout)["task"] == "tile"


@pytest.mark.parametrize(
    ("image", "question", "word"),
    [
        ("part-tile-1.png", "Is there a defect?", "yes"),
        ("chest-phantom-4.png", "Is there a nodule?", "yes"),
        ("shapes-1.png", "What is the capital of France?", "cannot answer"),
    ],
)
def test_ask_answers_and_says_which_model_did(stage, image, question, word):
    command = [sys.executable, "-m", "glm4v_tui", "ask", str(SAMPLES / image), "-q", question]
    done = subprocess.run(
        [*command, "--greedy", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(stage.folder),
    )
    result = json.loads(done.stdout)
    assert word in result["answer"].lower()
    assert result["usage"]["image_tokens"] > 0
    assert "small embedded one answers" in done.stderr
