"""The size an image is seen at, beside what transformers' processor says."""

import pytest
from transformers.models.glm4v.image_processing_glm4v import smart_resize

from glm4v_tui.plan import known_shape
from glm4v_tui.plan.image_size import patches_of, seen_size, tokens_of

GLM_41V = known_shape("zai-org/GLM-4.1V-9B-Thinking").vision
GLM_4V = known_shape("zai-org/glm-4v-9b").vision


@pytest.mark.parametrize(
    "size", [(1120, 1120), (333, 211), (10, 10), (20, 900), (6000, 4000), (9999, 60), (77, 78)]
)
def test_it_is_the_size_that_the_processor_makes(size):
    width, height = size
    bounds = {"min_pixels": GLM_41V.min_pixels, "max_pixels": GLM_41V.max_pixels}
    expected = smart_resize(num_frames=2, height=height, width=width, **bounds)
    assert seen_size(GLM_41V, size) == (expected[1], expected[0])


def test_the_original_sees_every_image_at_one_size():
    assert seen_size(GLM_4V, (50, 70)) == (1120, 1120)
    assert tokens_of(GLM_4V, (1120, 1120)) == 1602
    assert patches_of(GLM_4V, (1120, 1120)) == 6401


@pytest.mark.parametrize("size", [(0, 5), (5, 5000)])
def test_an_image_that_cannot_be_seen_is_refused(size):
    with pytest.raises(ValueError, match="no size"):
        seen_size(GLM_41V, size)
