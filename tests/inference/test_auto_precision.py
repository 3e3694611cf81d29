"""``--precision auto`` on a GPU is what the memory plan recommends."""

import pytest

from glm4v_tui.inference.placement import planned_precision
from glm4v_tui.plan import Load, known_shape, plans

GIB = 1 << 30
GLM_41V = known_shape("zai-org/GLM-4.1V-9B-Thinking")


@pytest.mark.parametrize("name", ["bf16", "int8", "mixed", "int4", "int4-compact"])
def test_each_precision_is_taken_as_soon_as_it_fits(name):
    """CUDA is there already when the free memory is read: its share is not counted again."""
    choices = plans(GLM_41V, gpu_free=1 << 50, load=Load(), context=0)
    needed = next(plan.needed for plan in choices if plan.precision == name)
    assert planned_precision(GLM_41V, ((0, needed),), True) == name
    assert planned_precision(GLM_41V, ((0, needed - 1),), True) != name or name == "int4-compact"


def test_an_old_gpu_gets_float16_and_two_gpus_share_a_model():
    assert planned_precision(GLM_41V, ((0, 40 * GIB),), False) == "fp16"
    assert planned_precision(GLM_41V, ((0, 13 * GIB), (1, 13 * GIB)), True) == "bf16"


def test_what_fits_nowhere_gets_the_fewest_bytes():
    assert planned_precision(GLM_41V, ((0, 2 * GIB),), True) == "int4-compact"
