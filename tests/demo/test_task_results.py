"""The bundled tasks on the embedded model: an image file in, a typed result out.

The full measurement, with held-out fonts and more images, is ``glm4v-tui bench tasks``.
"""

import json

import pytest
from click.testing import CliRunner

from glm4v_tui.bench.command import bench
from glm4v_tui.bench.task_scenes import SCENES
from glm4v_tui.bench.tasks import measure_task

FLOORS = {
    "defect": {"product": 0.9, "number of defects": 0.8, "grade": 0.8, "defect: box": 0.6},
    "retail": {"material": 0.9, "category": 0.8, "name": 0.5},
}
"""Well below what was measured: a prompt that the model does not understand falls through them."""


pytestmark = pytest.mark.timeout(600)  # the model has other programs beside it


@pytest.mark.parametrize("task", SCENES)
def test_random_tokens_still_make_whole_results(task, tmp_path):
    tally = measure_task(task, 20, None, tmp_path, is_random=True, first_seed=5000)
    assert tally.states == {"whole": 20}, tally.problems


@pytest.mark.parametrize("task", FLOORS)
def test_results_are_as_right_as_the_model_can(task, tmp_path):
    tally = measure_task(task, 20, None, tmp_path, first_seed=9000)
    assert tally.states == {"whole": 20}, tally.problems
    shares = {name: tally.right[name] / tally.judged[name] for name in FLOORS[task]}
    assert all(shares[name] >= floor for name, floor in FLOORS[task].items()), shares


def test_the_command_prints_one_object_a_task():
    arguments = ["tasks", "--task", "defect", "--images", "2", "--json"]
    printed = CliRunner(catch_exceptions=False).invoke(bench, arguments).stdout
    tally = json.loads(printed)
    assert (tally["task"], tally["images"], tally["judged"]["grade"]) == ("defect", 2, 2)


def test_the_command_names_the_tasks_that_it_knows():
    done = CliRunner().invoke(bench, ["tasks", "--task", "poetry"])
    assert done.exit_code == 2
    assert "defect, medical, retail" in done.output
