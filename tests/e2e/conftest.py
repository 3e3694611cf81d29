"""Starting the program for a test, and a picture of its screen when the test fails."""

from pathlib import Path

import pytest

from .stage import Stage


@pytest.fixture
def stage(tmp_path, request):
    """A user's home and everything that is started in it; ended when the test is over."""
    place = Stage(tmp_path)
    yield place
    place.close(save_pictures=getattr(request.node, "has_failed", False))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.has_failed = getattr(item, "has_failed", False) or report.failed
    return report


@pytest.fixture
def picture(tmp_path) -> Path:
    """A small image."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (160, 120), (200, 200, 200))
    ImageDraw.Draw(image).rectangle((20, 20, 80, 80), fill=(220, 30, 30))
    path = tmp_path / "red square.png"
    image.save(path)
    return path
