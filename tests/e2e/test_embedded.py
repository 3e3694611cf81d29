"""A first start: no model is named, no network, and a true answer all the same."""

import json
import subprocess
import sys

import pytest

from glm4v_tui.demo import SAMPLES

from .stage import ask
from .terminal import environment


def test_a_first_start_answers_about_a_sample_image(stage):
    chat = stage.start()
    chat.wait_for("small embedded one answers")
    chat.press("ctrl+o")
    chat.wait_for("part-tile-1.png")
    chat.press("escape")
    chat.paste(str(SAMPLES / "part-tile-1.png"))
    chat.wait_for("the model sees", timeout=60)
    ask(chat, "What defect is there, and where?")
    chat.wait_for("hole is at the middle left", timeout=60)


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
