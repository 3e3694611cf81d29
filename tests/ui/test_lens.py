"""Pictures as a reviewer sees them: windows and contrast."""

import numpy as np
import pytest
from PIL import Image

from glm4v_tui.config import Settings
from glm4v_tui.images import Facts
from glm4v_tui.tasks.plugins import load_plugins
from glm4v_tui.ui.triage.lens import Lens, stretch

FACTS = Facts(8, 8, "DICOM", {"unit": "HU"})


@pytest.fixture(scope="module")
def medical():
    return load_plugins(Settings().plugins).task("medical")


def test_contrast_spreads_the_values_over_the_whole_range():
    values = np.linspace(100, 140, 64).reshape(8, 8).astype(np.uint8)
    found = np.asarray(stretch(Image.fromarray(values)))
    assert found.min() == 0
    assert found.max() == 255


def test_contrast_of_colors_keeps_which_is_brighter():
    values = np.full((8, 8, 3), 100, np.uint8)
    values[:4] = (110, 120, 130)
    values[7] = (90, 90, 90)
    found = np.asarray(stretch(Image.fromarray(values))).astype(int)
    red, green, blue = found[0, 0]
    assert red <= green <= blue
    assert found[0, 0].sum() > found[5, 0].sum() > found[7, 0].sum()


def test_contrast_of_deep_values_looks_at_the_values():
    values = np.linspace(-1000, 3000, 64).reshape(8, 8).astype(np.int32)
    found = stretch(Image.fromarray(values))
    assert found.mode == "L"
    assert np.asarray(found).max() == 255


def test_an_image_of_one_value_stays_as_it_is():
    image = Image.new("L", (8, 8), 77)
    assert stretch(image) is image


def test_the_windows_are_the_presets_of_the_task(medical):
    lens = Lens(medical, medical.options_type())
    assert lens.window == "auto"
    assert {"lung", "bone"} <= set(lens.windows)
    seen = {lens.variant}
    for _ in lens.windows[1:]:
        lens.step_window(1)
        seen.add(lens.variant)
    assert len(seen) == len(lens.windows)
    lens.step_window(1)
    assert lens.window == "auto"


def test_another_window_shows_other_pixels(medical):
    image = Image.fromarray(np.linspace(-1000, 1000, 64).reshape(8, 8).astype(np.int32))
    lens = Lens(medical, medical.options_type(window="lung"))
    lung = np.asarray(lens.preparation(lens.variant).apply(image, FACTS))
    lens.window = "bone"
    bone = np.asarray(lens.preparation(lens.variant).apply(image, FACTS))
    assert (lung != bone).any()


def test_contrast_comes_after_the_window(medical):
    image = Image.fromarray(np.linspace(-1000, 1000, 64).reshape(8, 8).astype(np.int32))
    lens = Lens(medical, medical.options_type(window="bone"))
    plain = np.asarray(lens.preparation(lens.variant).apply(image, FACTS))
    lens.is_stretched = True
    spread = np.asarray(lens.preparation(lens.variant).apply(image, FACTS))
    assert spread.max() >= plain.max()
    assert (spread != plain).any()
