"""The bundled tasks on the embedded model: an image file in, a typed result out.

The full measurement, with held-out fonts and more images, is ``glm4v-tui bench tasks``.
"""

import pytest

from glm4v_tui.bench.task_scenes import SCENES
from glm4v_tui.bench.tasks import measure_task

FLOORS = {
    "defect": {"product": 0.9, "number of defects": 0.8, "grade": 0.8, "defect: box": 0.6},
    "retail": {"material": 0.9, "category": 0.8, "name": 0.5},
}
"""Well below what was measured: a prompt that the model does not understand falls through them."""


@pytest.mark.parametrize("task", SCENES)
def test_random_tokens_still_make_whole_results(task, tmp_path):
    tally = measure_task(task, 30, None, tmp_path, is_random=True, first_seed=5000)
    assert tally.states == {"whole": 30}, tally.problems


@pytest.mark.parametrize("task", FLOORS)
def test_results_are_as_right_as_the_model_can(task, tmp_path):
    tally = measure_task(task, 20, None, tmp_path, first_seed=9000)
    assert tally.states == {"whole": 20}, tally.problems
    shares = {name: tally.right[name] / tally.judged[name] for name in FLOORS[task]}
    assert all(shares[name] >= floor for name, floor in FLOORS[task].items()), shares
