"""The embedded model on the samples, whose drawn defects are known to the pixel."""

import json
import random
import subprocess
import sys

import numpy as np
import pytest
from glm4v_tui_defect.inspection import DefectOptions
from glm4v_tui_defect.task import DefectTask
from PIL import Image

from glm4v_tui import Box
from glm4v_tui.bench.tasks import embedded_model
from glm4v_tui.demo import SAMPLES
from glm4v_tui.demo.scenes.canvas import Canvas, Look, overlap
from glm4v_tui.demo.scenes.colours import palettes
from glm4v_tui.demo.scenes.parts import draw_part

SEEDS = {
    "part-tile-1.png": 103, "part-tile-2.png": 106, "part-washer.png": 107,
    "part-gear.png": 109, "part-fabric.png": 112, "part-plate.png": 113,
}  # fmt: skip
"""Of the drawings, as ``glm4v_tui.demo.draw_samples`` has them."""
WIDTH, HEIGHT = 640, 480


def truth(name):
    """What was drawn: (type, box in pixels), after a look whether the file is that drawing."""
    canvas = Canvas(random.Random(SEEDS[name]), WIDTH, HEIGHT, Look(palettes()[1]))
    image, facts = draw_part(canvas)
    with Image.open(SAMPLES / name) as file:
        assert np.array_equal(np.asarray(file.convert("RGB")), np.asarray(image))
    across, down = WIDTH / 1000, HEIGHT / 1000
    return [
        (one.kind, [at * side for at, side in zip(one.box, (across, down) * 2, strict=True)])
        for one in facts.defects
    ]


def assert_around(box, drawn):
    """The box holds the middle of the drawn defect and most of the rest."""
    left, top, right, bottom = drawn
    assert box.left < (left + right) / 2 < box.right
    assert box.top < (top + bottom) / 2 < box.bottom
    assert overlap(drawn, [box.left, box.top, box.right, box.bottom]) > 0.5


async def test_the_drawn_defects_lie_inside_of_the_boxes():
    async with embedded_model() as asking:
        for name in SEEDS:
            outcome = (await asking.ask(DefectTask(), SAMPLES / name)).outcome
            drawn = truth(name)
            found = outcome.regions[0]
            assert [region.label for region in found] == [kind for kind, _ in drawn], name
            for region, (_, box) in zip(found, drawn, strict=True):
                assert_around(region.box, box)
            assert outcome.warnings == ()


async def test_boxes_of_a_crop_are_in_its_pixels():
    crop = Box(20, 7, 603, 458)
    ((kind, drawn),) = truth("part-washer.png")
    async with embedded_model() as asking:
        answered = await asking.ask(DefectTask(), SAMPLES / "part-washer.png", crop)
    (region,) = answered.outcome.regions[0]
    inside = [at - offset for at, offset in zip(drawn, (20, 7) * 2, strict=True)]
    assert region.label == kind
    assert_around(region.box, inside)


async def test_no_other_types_than_the_users_are_written():
    """The tile has a hole; a model that may not say so says something that is allowed."""
    options = DefectOptions(classes=("rust", "discoloration"))
    async with embedded_model() as asking:
        answered = await asking.ask(DefectTask(), SAMPLES / "part-tile-1.png", options=options)
    found = answered.outcome.value["defects"]
    assert found
    assert {one["type"] for one in found} <= {"rust", "discoloration"}


@pytest.mark.parametrize("wanted", ["coco:{}", "{}"])
def test_ask_writes_a_crop_of_the_sample_to_a_coco_file(tmp_path, wanted):
    file = tmp_path / "part.coco.json"
    command = ["ask", SAMPLES / "part-washer.png", "--task", "defect", "--crop", "20,7,603,458"]
    done = subprocess.run(
        [sys.executable, "-m", "glm4v_tui", *command, "--export", wanted.format(file), "--json"],
        capture_output=True,
        text=True,
        env={"GLM4V_TUI_HOME": str(tmp_path), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["product"] == "washer"
    dataset = json.loads(file.read_bytes())
    (image,), (one,) = dataset["images"], dataset["annotations"]
    assert (image["width"], image["height"]) == (WIDTH, HEIGHT)
    left, top, width, height = one["bbox"]
    ((_, drawn),) = truth("part-washer.png")
    assert_around(Box(left, top, left + width, top + height), drawn)
