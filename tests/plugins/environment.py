"""A Python environment of its own, with this project installed as a user would have it.

It has no pip and no torch in it: a path file lets it see what the running environment has, after
its own packages. So it is made in a second, and what is installed into it stays in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.terminal import environment

ROOT = Path(__file__).parents[2]
NO_NETWORK = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "off", "PIP_CONFIG_FILE": os.devnull}
"""pip takes the build backend from the environment. (``off`` is its word for no isolation.)"""


class Separate:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = folder / "env"
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.env], check=True)
        seen = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        (self.packages / "zz_seen.pth").write_text("".join(f"{path}\n" for path in seen))

    @property
    def python(self) -> Path:
        return self.env / "bin" / "python"

    @property
    def packages(self) -> Path:
        return next((self.env / "lib").glob("python*/site-packages"))

    @property
    def tasks(self) -> Path:
        return self.home / ".config" / "glm4v-tui" / "tasks"

    @property
    def remembered(self) -> Path:
        return self.home / ".local" / "state" / "glm4v-tui" / "plugins.toml"

    def settings(self, text: str) -> None:
        self.tasks.mkdir(parents=True, exist_ok=True)
        (self.tasks.parent / "config.toml").write_text(text)

    def run(
        self, *command: str | Path, folder: Path | None = None, **changes: str
    ) -> subprocess.CompletedProcess[str]:
        """Any command, in the user's home or another folder."""
        plain = environment(self.home, PYTHONPATH=None, GLM4V_TUI_HOME=None)
        return subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=plain | NO_NETWORK | changes,
            cwd=folder or self.home,
            timeout=100,
        )

    def program(self, *arguments: str | Path, **how: Any) -> subprocess.CompletedProcess[str]:
        """``glm4v-tui``, as it was installed here."""
        return self.run(self.env / "bin" / "glm4v-tui", *arguments, **how)

    def pip(self, *arguments: str | Path) -> None:
        done = self.run(self.python, "-m", "pip", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    def files(self) -> set[str]:
        """What is installed in it, but for compiled files."""
        found = (path.relative_to(self.env) for path in self.env.rglob("*"))
        return {str(path) for path in found if "__pycache__" not in path.parts}


def write_plugin(folder: Path, name: str, code: str, *, version: str = "1") -> Path:
    """A tiny distribution with a plugin: its folder."""
    project = folder / name
    package = project / f"plugin_{name}"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(code)
    (project / "pyproject.toml").write_text(
        f"""[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{name}"
version = "{version}"
dependencies = ["glm4v-tui"]
[project.entry-points.glm4v_tui]
{name} = "plugin_{name}"
[tool.hatch.build.targets.wheel]
packages = ["plugin_{name}"]
"""
    )
    return project


def task_code(name: str, *, methods: str = "pass", before: str = "", hook: str = "") -> str:
    """The module of a plugin with one task, complete but for what is replaced."""
    return f"""
{before}
from typing import Annotated, Literal
import msgspec
from glm4v_tui import Label, Panel, Row, Task, Words, hookimpl


class Found(msgspec.Struct):
    color: Literal["red", "green"]


class Own(Task):
    name = "{name}"
    title = "T"
    summary = "S"
    question = Words("Which color?", "什么颜色？")
    result_type = Found
    labels = (Label("yes", "y"),)
    {methods}


{
        hook
        or '''@hookimpl
def glm4v_tui_tasks():
    return [Own()]'''
    }
"""
