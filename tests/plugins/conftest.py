"""Separate environments, made from a wheel of this project."""

from pathlib import Path

import pytest

from tests.plugins.environment import ROOT, Separate


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """This project as it would be published."""
    folder = tmp_path_factory.mktemp("wheel")
    builder = Separate(folder / "builder")
    builder.pip("wheel", "-q", "--no-deps", "-w", folder, ROOT)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def separate(wheel, tmp_path_factory) -> Separate:
    """A clean environment with this project, for the tests of one file."""
    place = Separate(tmp_path_factory.mktemp("separate"))
    place.pip("install", "-q", "--no-deps", wheel)
    return place
